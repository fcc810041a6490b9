"""What can go wrong for whoever uses the client: a small family, each with the rule or field it is about."""

from workflows.messages.cases import CaseView, Refusal


class AftersalesError(Exception):
    """The base of all errors of the client."""


class RefusedRequest(AftersalesError):  # noqa: N818 -- named after what happened
    """A case was not opened: ``refusal`` names the field and the rule."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.field}: {refusal.explanation} ({refusal.rule})")
        self.refusal = refusal


class RefusedCommand(AftersalesError):  # noqa: N818
    """A command was not obeyed: ``refusal`` says why, ``view`` how the case stands (None if not known)."""

    def __init__(self, refusal: Refusal, view: CaseView | None) -> None:
        super().__init__(f"{refusal.code}: {refusal.field}: {refusal.explanation} ({refusal.rule})")
        self.refusal = refusal
        self.view = view


class NotYours(RefusedCommand):
    """The case belongs to another merchant or buyer (section 12)."""


class UnknownCase(AftersalesError):  # noqa: N818
    """There is no case with this id."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"there is no case {case_id}")
        self.case_id = case_id


class Unreachable(AftersalesError):  # noqa: N818
    """Temporal or the database does not answer. What was sent may have arrived: send it again, same key."""


class Unanswered(Unreachable):
    """The case has the command, but no worker answered in time. Sending it again with its key is safe."""
