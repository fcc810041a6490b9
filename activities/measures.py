"""What the service counts about itself: cases, decisions, money, calls of outside systems.

Everything is recorded where it happens and after the commit that made it true, so that an activity that is tried
again, or a step that is written a second time, counts once. A worker that dies between a commit and its count leaves
one out: the books are exact, these figures are for watching. No label names a case, a merchant or a person.

The names carry no suffix for counters: exporters add ``_total``. ``docs/observability.md`` has the whole list.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from temporalio.common import MetricCounter, MetricMeter

from activities.tally import SILENCE, Tally, Written
from workflows.kinds.stage import STAGES, Stage
from workflows.messages.actors import Role
from workflows.messages.cases import Step
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.stages import CaseKind, OutcomeKind, Silence, StageName
from workflows.rules.silence import BY_PROFILE

DECISION_TIME: Final = "aftersales_decision_time_seconds"
GATEWAY_CALL: Final = "aftersales_gateway_call_seconds"
CALLBACK_ANSWER: Final = "aftersales_callback_answer_seconds"

_HOUR: Final = 3600.0
BUCKETS: Final[Mapping[str, Sequence[float]]] = {
    # The deadlines of the rulebook: 30 minutes, 4, 24, 48 and 72 hours, 7 and 10 days.
    DECISION_TIME: [
        60,
        600,
        1800,
        _HOUR,
        4 * _HOUR,
        12 * _HOUR,
        24 * _HOUR,
        36 * _HOUR,
        48 * _HOUR,
        72 * _HOUR,
        168 * _HOUR,
        240 * _HOUR,
    ],
    # A call that takes more than five seconds is given up.
    CALLBACK_ANSWER: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    GATEWAY_CALL: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
}
"""Histogram buckets, in seconds, by metric."""

_PERSONS: Final = frozenset({Role.BUYER, Role.MERCHANT, Role.PLATFORM})
Spans = Callable[[str, Mapping[str, str]], AbstractContextManager[Callable[[str, str], None]]]
"""Opens a span with a name and attributes, and gives what sets an attribute on it."""


class Call:
    """One call of an outside system, and what came of it."""

    def __init__(self) -> None:
        self.result = "answered"


def _no_span(name: str, attributes: Mapping[str, str]) -> AbstractContextManager[Callable[[str, str], None]]:
    del name, attributes
    return nullcontext(lambda key, value: None)


class Measures:
    """Records what happens. Without a meter it costs next to nothing and records nothing."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop, spans: Spans = _no_span) -> None:
        """``meter`` is the runtime's, so that these and the SDK's own leave by one exporter."""
        self._spans = spans
        self.meter = meter
        count = meter.create_counter
        self._opened = count("aftersales_cases_opened", "Cases opened, by kind.")
        self._ended = count("aftersales_cases_ended", "Cases ended, by kind and outcome.")
        self._decided = count(
            "aftersales_decisions",
            "Stages that waited for a person and were left, by kind, stage and who did it; silence where nobody did.",
        )
        self._missed = count(
            "aftersales_deadlines_missed",
            "Deadlines that passed and let silence decide, by kind, stage and what silence did.",
        )
        self._decision_time = meter.create_histogram_float(
            DECISION_TIME, "Business time from the beginning of a stage to the decision that left it."
        )
        self._legs = count("aftersales_money_legs", "Refund legs that came to a state, by state and who pays.")
        self._money = count(
            "aftersales_money_minor_units",
            "Amounts, in minor units of the currency, that came to a state, by currency, state and who pays.",
        )
        self._calls = meter.create_histogram_float(
            GATEWAY_CALL, "Calls of outside systems, by gateway, operation and result."
        )
        self._circuits = count(
            "aftersales_gateway_circuits",
            "Accounts at a provider that were left alone because nothing came of calls, and that answer again, by "
            "gateway and state: opened, closed.",
        )
        self._notices = count(
            "aftersales_notices", "Attempts to send a notice, by channel and result: sent, failed, undeliverable."
        )
        self._webhooks = count(
            "aftersales_webhook_deliveries",
            "Attempts to deliver an event by webhook, by endpoint and result.",
        )
        self._failures = count(
            "aftersales_activity_failures", "Attempts of activities that failed, by activity and kind of error."
        )

    def opened(self, kind: CaseKind) -> None:
        """A case was opened."""
        _add(self._opened, kind=kind)

    def committed(self, tally: Tally) -> None:
        """A transaction was committed, and what it wrote is true."""
        for written in tally.steps:
            self._step(written)
        for moved in tally.moves:
            if moved.state is not LegState.RESERVED:
                payer = moved.paid_by or PaidBy.GATEWAY
                _add(self._legs, state=moved.state, paid_by=payer)
                _add(self._money, moved.amount, currency=moved.currency, state=moved.state, paid_by=payer)

    def _step(self, written: Written) -> None:
        step, stage, by = written.step, STAGES[written.stage], written.by
        if by and stage.waits_for in _PERSONS:
            _add(self._decided, kind=step.kind, stage=written.stage, by=by)
            took = max((step.at - written.since).total_seconds(), 0.0)
            self._decision_time.record(took, {"kind": step.kind.value, "by": by})
        if by == SILENCE:
            _add(self._missed, kind=step.kind, stage=written.stage, silence=_silence(step, stage))
        if step.outcome and written.stage is not StageName.CLOSED:
            _add(self._ended, kind=step.kind, outcome=step.outcome)

    def notice(self, channel: str, result: str) -> None:
        """A channel was given a notice, and that was written down."""
        _add(self._notices, channel=channel, result=result)

    def webhook(self, endpoint: str, result: str) -> None:
        """An endpoint was told of an event: ``delivered``, ``failed``; or the event was given up: ``dead``."""
        _add(self._webhooks, endpoint=endpoint, result=result)

    def failed(self, activity: str, error: BaseException) -> None:
        """An attempt of an activity failed."""
        _add(self._failures, activity=activity, error=type(error).__name__)

    def circuit(self, gateway: str, state: str) -> None:
        """An account of an outside system is left alone from now on (opened), or is called again (closed)."""
        _add(self._circuits, gateway=gateway, state=state)

    @contextmanager
    def call(self, gateway: str, operation: str) -> Generator[Call]:
        """Measure a call of an outside system, as a span too where traces are on.

        Set ``result`` to a code of the answer; an error is named by its type, never by its text.
        """
        call, began = Call(), time.perf_counter()
        named = {"gateway": gateway, "operation": operation}
        with self._spans(f"{gateway}.{operation}", named) as note:
            try:
                yield call
            except BaseException as error:
                call.result = type(error).__name__
                raise
            finally:
                note("result", call.result)
                self._calls.record(time.perf_counter() - began, {**named, "result": call.result})


def _add(counter: MetricCounter, value: int = 1, **labels: str) -> None:
    counter.add(value, {name: str(label) for name, label in labels.items()})


def _silence(step: Step, left: Stage) -> Silence:
    """What silence did: where the profile says so, the step tells (G3)."""
    if step.stage is StageName.MERCHANT_OVERDUE:
        return Silence.RIGHT_TO_INTERVENTION
    if left.name in BY_PROFILE and step.outcome is OutcomeKind.REJECTED:
        return Silence.CLOSE_AS_REJECTED
    return left.silence
