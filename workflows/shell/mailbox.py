"""The commands and facts that a case is sent: each taken once, in its turn, and answered when it is carried out."""

from collections.abc import Mapping

from workflows.messages.cases import Refusal
from workflows.messages.commands import Command
from workflows.rules import admission
from workflows.rules.growth import Heard
from workflows.shell.host import Host


class Mailbox:
    """One slot for a decision, a queue for facts; the keys of all that came, and how each was answered."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.slot: Command | None = None
        """The command that is looked at next."""
        self.taken = True
        """Whether a decision, or the opening, is being carried out."""
        self.facts: list[Command] = []
        """A list: an empty deque takes 600 bytes of every case that waits."""
        self.heard = Heard()
        self.forgets = False
        """Whether more came to earlier runs than this one knows of: of a key that it has not seen the book is asked."""
        self._in_hand: Command | None = None
        self._seen: dict[str, str] = {}
        self._answers: dict[str, Refusal | None] = {}
        self._abandoned: Refusal | None = None

    def free(self) -> None:
        """Whoever waits for its turn may send its command now."""
        self.taken = False

    def next_command(self) -> Command | None:
        """The command to be carried out now; it is in hand until it is answered."""
        if self.slot:
            self._in_hand, self.slot = self.slot, None
            return self._in_hand
        return None

    def take_in_hand(self, fact: Command) -> None:
        """Whoever told this fact is answered by what is done next."""
        self._in_hand = fact

    def was_seen(self, command: Command) -> bool:
        """Whether something came under this key before."""
        return command.key in self._seen

    def key_reused(self, command: Command) -> Refusal | None:
        """Why the key of a command that came before does not fit this one, or None."""
        if self._seen.get(command.key) in (None, admission.fingerprint(command)):
            return None
        return Refusal(
            code="key_reused",
            field="key",
            rule="section 11",
            explanation="another command has been sent under this key",
        )

    def accept(self, command: Command) -> None:
        """Take in what is not refused."""
        self._seen[command.key] = admission.fingerprint(command)
        if command.fact:
            self.facts.append(command)
        else:
            self.slot = command
            self.taken = True

    def hear(self, fact: Command) -> None:
        """Take in a fact that the case has found itself; told again from outside it is the same fact."""
        if fact.key not in self._seen:
            self._seen[fact.key] = admission.fingerprint(fact)
            self.facts.append(fact)

    def answer(self, command: Command, refusal: Refusal | None = None) -> None:
        """Tell whoever sent ``command`` that it is done, or why it was not."""
        self._answers[command.key] = refusal
        if self._in_hand is command:
            self._in_hand = None

    def dealt_with(self, fact: Command) -> None:
        """The first fact of the queue is written down."""
        self.facts.remove(fact)
        self.answer(fact)

    def answer_in_hand(self, refusal: Refusal | None = None) -> None:
        """The same of the command that is being carried out, if one is."""
        if self._in_hand:
            self.answer(self._in_hand, refusal)

    def waiting(self) -> tuple[str, ...]:
        """The keys of what has come and is not carried out yet."""
        return tuple(each.key for each in (self._in_hand, self.slot, *self.facts) if each)

    def remember(self, carried_out: Mapping[str, str]) -> None:
        """Take note of what was carried out before, by keys and digests; whoever waits for it is answered."""
        self._seen.update(carried_out)
        self._answers.update(dict.fromkeys(carried_out))

    def resume(self, carried_out: Mapping[str, str]) -> Command | None:
        """Answer what was carried out before, by these keys; the command that is left to be looked at, if one is."""
        self.remember(carried_out)
        left = [each for each in (self._in_hand, self.slot) if each and each.key not in carried_out]
        self._in_hand = self.slot = None
        self.facts = [each for each in (*left, *self.facts) if each.fact and each.key not in carried_out]
        return next((each for each in left if not each.fact), None)

    async def answered(self, command: Command) -> Refusal | None:
        """Wait for the answer."""
        await self._host.wait_until(lambda: command.key in self._answers or self._abandoned is not None)
        return self._answers.get(command.key, self._abandoned)

    def abandon(self) -> None:
        """Another run carries the case: whatever has not been carried out here is for that one."""
        self.taken = False
        self._abandoned = Refusal(
            code="carried_elsewhere",
            field="command",
            rule="section 11",
            explanation="another run of the workflow carries the case now: send it again",
        )
