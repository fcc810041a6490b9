"""Traces and metrics of a process, by OpenTelemetry's standard variables. Nothing set: nothing is loaded."""

import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager

import asyncpg
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime

from activities.gauges import OpenWorkGauges
from activities.measures import Measures
from starter.telemetry.configuration import configuration
from starter.telemetry.interceptors import set_tracing_interceptors
from starter.telemetry.metrics import meter_of, runtime
from starter.telemetry.spans import spans

__all__ = ["exported", "measures_of", "standing_told"]


@contextmanager
def exported(environ: Mapping[str, str] | None = None) -> Generator[None]:
    """Have traces and metrics of this process leave it. To be entered before it connects to anything.

    Raises:
        SettingsError: a variable is wrong, or the port of ``/metrics`` is taken.
    """
    exporting = configuration(os.environ if environ is None else environ)
    with ExitStack() as ending:
        if exporting.metrics:
            Runtime.set_default(runtime(exporting), error_if_already_set=False)
        if exporting.traces:
            # Not at the top: it loads OpenTelemetry's SDK and an exporter.
            from starter.telemetry.traces import traced  # noqa: PLC0415

            set_tracing_interceptors(ending.enter_context(traced(exporting, exporting.traces)))
            ending.callback(set_tracing_interceptors)
        yield


def measures_of(client: Client) -> Measures:
    """What a worker on this client counts with."""
    return Measures(meter_of(client), spans())


@asynccontextmanager
async def standing_told(pool: asyncpg.Pool, client: Client) -> AsyncGenerator[None]:
    """The gauges of what is open, where metrics are on."""
    meter = meter_of(client)
    if meter is MetricMeter.noop:
        yield
        return
    async with OpenWorkGauges(pool, meter).running():
        yield
