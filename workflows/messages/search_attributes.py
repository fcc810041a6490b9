"""The search attributes of a case: what operators list and filter by in the Web UI.

None holds a person's data: search attributes are never encrypted. Seven keywords and one time are within the
ten and three that SQL visibility has room for.
"""

from temporalio.common import SearchAttributeKey

KIND = SearchAttributeKey.for_keyword("CaseKind")
"""What the case is about."""
STAGE = SearchAttributeKey.for_keyword("CaseStage")
"""Where it stands; the passing stages ``opening`` and ``paying`` are not brought up to date."""
MERCHANT = SearchAttributeKey.for_keyword("MerchantId")
"""Whose case it is."""
ORDER = SearchAttributeKey.for_keyword("OrderNo")
"""The order's number, or the allowance's id."""
ATTENTION = SearchAttributeKey.for_keyword("CaseAttention")
"""Why a person must look at it; absent where nobody must."""
OUTCOME = SearchAttributeKey.for_keyword("CaseOutcome")
"""How it ended; absent while it is open."""
POLICY = SearchAttributeKey.for_keyword("CasePolicy")
"""Name and version: ``douyin/1``."""
CUSTOMER = SearchAttributeKey.for_keyword_list("CaseCustomer")
"""Keyed hashes of the customer's name, phone or account: who knows the one can find the case, nobody can read it."""
DUE = SearchAttributeKey.for_datetime("CaseDue")
"""The deadline, rounded up to a whole minute."""

ALL = (KIND, STAGE, MERCHANT, ORDER, ATTENTION, OUTCOME, POLICY, CUSTOMER, DUE)


def declarations() -> dict[str, str]:
    """Name and type of each, as the ``temporal`` command line writes them: ``{"CaseDue": "Datetime"}``."""
    kinds = {"KEYWORD": "Keyword", "KEYWORD_LIST": "KeywordList", "DATETIME": "Datetime"}
    return {key.name: kinds[key.indexed_value_type.name] for key in ALL}
