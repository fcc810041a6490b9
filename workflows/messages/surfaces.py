"""Where personal data is shown, and which (P1)."""

from workflows.messages.words import Word


class Surface(Word):
    """A place where a person's data is shown; each has its own line in the table of what it shows (P1)."""

    DEFAULT = "default"
    """Lists, case pages, and whatever has no line of its own."""
    ORDER_CHECK = "order_check"
    """核对订单: the card by which an order is checked."""
    ADDRESS_CHECK = "address_check"
    """核: the message that asks whether the address is right."""
    SEND_USER = "send_user"
    """发送用户: what the app sends the buyer."""
    INVOICE = "invoice"
    """发票详情"""
    WAYBILL = "waybill"
    """运单"""


class Field(Word):
    """One piece of a person's data."""

    NAME = "name"
    PHONE = "phone"
    ADDRESS = "address"
    ACCOUNT_NUMBER = "account_number"
    """Of a bank account."""
    ACCOUNT_NAME = "account_name"
    """Whose bank account it is: a person or a company."""
