"""What can go wrong for whoever uses the client: a small family, each with the rule or field it is about."""

from collections.abc import Iterable

from workflows.messages.cases import CaseView, Refusal
from workflows.messages.stages import Stopped
from workflows.messages.statements import VagueStatement


class AftersalesError(Exception):
    """The base of all errors of the client."""


class WrongSettings(AftersalesError):  # noqa: N818 -- named after what happened
    """A variable of the environment is wrong or missing: the text names it, and never its value."""


class CodecRefused(AftersalesError):  # noqa: N818
    """The codec server does not encrypt or decrypt: the text says why, as far as the server does.

    What was sent has arrived where the answer was to be decrypted: send it again with its key, once that is mended.
    """


class RefusedRequest(AftersalesError):  # noqa: N818
    """A case was not opened: ``refusal`` names the field and the rule."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.field}: {refusal.explanation} ({refusal.rule})")
        self.refusal = refusal


class RefusedCommand(AftersalesError):  # noqa: N818
    """A command was not obeyed: ``refusal`` says why, ``view`` how the case stands.

    None where that is not known, or is not for whoever asked (section 12).
    """

    def __init__(self, refusal: Refusal, view: CaseView | None) -> None:
        super().__init__(f"{refusal.code}: {refusal.field}: {refusal.explanation} ({refusal.rule})")
        self.refusal = refusal
        self.view = view


class NotYours(RefusedCommand):
    """The case belongs to another merchant or buyer (section 12): nothing is told of it."""


class WorkflowStopped(AftersalesError):  # noqa: N818
    """The case's workflow was stopped from outside and does not come to an end; ``view`` is what the book has."""

    def __init__(self, case_id: str, stopped: Stopped, view: CaseView | None) -> None:
        super().__init__(f"the workflow of {case_id} was stopped ({stopped})")
        self.case_id = case_id
        self.stopped = stopped
        self.view = view


class RefusedReading(AftersalesError):  # noqa: N818
    """The feed cannot be read so (X4): ``refusal`` names the field and says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.field}: {refusal.explanation} ({refusal.rule})")
        self.refusal = refusal


class RefusedStandingOrder(AftersalesError):  # noqa: N818
    """A standing order was not given or ended (G4): ``refusal`` names the field and says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.field}: {refusal.explanation} ({refusal.rule})")
        self.refusal = refusal


class UnknownCase(AftersalesError):  # noqa: N818
    """There is no case with this id."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"there is no case {case_id}")
        self.case_id = case_id


class UnknownOrder(AftersalesError):  # noqa: N818
    """The order directory does not know this order."""

    def __init__(self, order_no: str) -> None:
        super().__init__(f"there is no order {order_no}")
        self.order_no = order_no


class NoReturnAddress(AftersalesError):  # noqa: N818
    """No return address was chosen for this case yet (T12); ``refusal`` says so."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.explanation} ({refusal.rule})")
        self.refusal = refusal


class RefusedStatement(AftersalesError):  # noqa: N818
    """The case is another merchant's or buyer's: nothing was written (section 12)."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"{case_id} is another merchant's or buyer's (section 12)")
        self.case_id = case_id


class VagueReply(AftersalesError):  # noqa: N818
    """A merchant's reply puts the buyer off instead of naming a time (D7); ``finding`` names the words."""

    def __init__(self, finding: VagueStatement) -> None:
        words = f"vague words: {', '.join(finding.words)}" if finding.words else "it names no concrete time"
        super().__init__(f"the reply must name a concrete time (D7); {words}")
        self.finding = finding


class NewerRelease(AftersalesError):  # noqa: N818
    """The books hold what only a newer release knows: nothing was sent, and this client must be updated."""

    def __init__(self) -> None:
        super().__init__("the books hold what only a newer release knows: update this client, nothing was sent")


class Unreachable(AftersalesError):  # noqa: N818
    """Temporal or the database does not answer. What was sent may have arrived: send it again, same key."""


class NotCarried(Unreachable):
    """Open cases could not be told: their workflow was stopped, or takes no more. Tell it again later, same key."""

    def __init__(self, case_ids: Iterable[str]) -> None:
        super().__init__(
            f"tell it again once they go on: the workflow was stopped, or is full, of {', '.join(case_ids)}"
        )


class Unanswered(Unreachable):
    """It is not known what became of the command: no worker has answered, or the workflow was stopped meanwhile.

    Sending it again with its key is safe.
    """
