"""What the HTTP service counts. No label names a case, a sender or a person."""

from temporalio.common import MetricMeter

from activities.measures import CALLBACK_ANSWER


class Counts:
    """Counters of what came in, and what became of it."""

    def __init__(self, meter: MetricMeter) -> None:
        self._callbacks = meter.create_counter("aftersales_callbacks", "Callbacks, by source and result.")
        self._seconds = meter.create_histogram_float(CALLBACK_ANSWER, "From a callback to its answer.")
        self._pushed = meter.create_counter("aftersales_pushed", "Orders and events of parcels pushed, by outcome.")
        self._handed_on = meter.create_counter("aftersales_inbox_handed_on", "Messages of the inbox, by result.")

    def callback(self, source: str, result: str, seconds: float) -> None:
        """A callback of ``payments`` or ``carriers`` was answered."""
        self._callbacks.add(1, {"source": source, "result": result})
        self._seconds.record(seconds, {"source": source})

    def pushed(self, what: str, outcome: str) -> None:
        """An order or an event of a parcel was answered."""
        self._pushed.add(1, {"what": what, "outcome": outcome})

    def handed_on(self, source: str, result: str) -> None:
        """A message of the inbox was handed to a case, or was not."""
        self._handed_on.add(1, {"source": source, "result": result})
