"""A callback as every worker reads it: one of the release before refuses a field that it does not know (X3)."""

from workflows.messages.commands import GatewayCallback


def as_sent(callback: GatewayCallback, ours: int | None) -> GatewayCallback:
    """The same, without the amount where it is ours: it says nothing then.

    A worker without ``amount`` refuses the others, which is right: they are about another refund (section 10). ``ours``
    is the amount of the refund of this number, in minor units.
    """
    return callback.model_copy(update={"amount": None}) if callback.amount == ours else callback
