"""Traces through Temporal: from the client's call through update, workflow and activity.

A workflow that waits for days must not be a span that stays open for days. So a workflow has no span of its own length.
What happens is a trace for each **cause**: the opening belongs to the trace of the client's call, a command to that of
whoever sent it, and what time alone brings about (a deadline, a poll) begins a trace of its own, linked to the opening
and to what went before. Activities carry the cause of their moment.

It is safe under replay: ids come from the workflow's own random numbers, and what is replayed is not told again.
Nothing of a message gets into a span, and of an error only its type (P6).

The context travels in the header ``_tracer-data``, as with Temporal's own interceptors in every language.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn, cast

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio import activity, client, worker, workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from workflows.messages.causes import Cause

HEADER: Final = "_tracer-data"
_LONG: Final = timedelta(hours=1)
"""After so long, what a workflow does by itself is a trace of its own."""

_Headers = Mapping[str, Payload]

_propagator: Final = TraceContextTextMapPropagator()
# Loads OpenTelemetry's context now: the workflow sandbox would not let it.
contexts.get_current()


class ClientTraces(client.Interceptor):
    """Spans of a client's calls, whose trace goes on in the workflows."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:
        """See ``Interceptor``."""
        return _ClientCalls(next, self._tracer)


class TemporalTraces(ClientTraces, worker.Interceptor):
    """The same, and the spans of workflows and activities on the client's workers.

    The tracer must be one of ``temporalio.contrib.opentelemetry.create_tracer_provider``.
    """

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:
        """See ``Interceptor``."""
        return _Activities(next, self._tracer)

    def workflow_interceptor_class(
        self,
        input: worker.WorkflowInterceptorClassInput,
    ) -> type[worker.WorkflowInboundInterceptor]:
        """See ``Interceptor``."""
        del input
        tracer = self._tracer

        class Traced(_Workflows):
            """With the tracer of this worker: the SDK makes the object."""

            def __init__(self, next: worker.WorkflowInboundInterceptor) -> None:
                super().__init__(next)
                self.causes = Causes(tracer)

        return Traced


class _ClientCalls(client.OutboundInterceptor):
    def __init__(self, next: client.OutboundInterceptor, tracer: Tracer) -> None:
        super().__init__(next)
        self._tracer = tracer

    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:
        with _span(self._tracer, f"StartWorkflow:{input.workflow}", SpanKind.CLIENT, _workflow(input.id)):
            input.headers = _injected(input.headers)
            return await super().start_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:
        with _span(self._tracer, f"SignalWorkflow:{input.signal}", SpanKind.CLIENT, _workflow(input.id)):
            input.headers = _injected(input.headers)
            await super().signal_workflow(input)

    async def query_workflow(self, input: client.QueryWorkflowInput) -> Any:
        with _span(self._tracer, f"QueryWorkflow:{input.query}", SpanKind.CLIENT, _workflow(input.id)):
            return await super().query_workflow(input)

    async def start_workflow_update(self, input: client.StartWorkflowUpdateInput) -> client.WorkflowUpdateHandle[Any]:
        with _span(self._tracer, f"StartWorkflowUpdate:{input.update}", SpanKind.CLIENT, _workflow(input.id)):
            input.headers = _injected(input.headers)
            return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self,
        input: client.StartWorkflowUpdateWithStartInput,
    ) -> client.WorkflowUpdateHandle[Any]:
        start, update = input.start_workflow_input, input.update_workflow_input
        with _span(self._tracer, f"UpdateWithStart:{start.workflow}", SpanKind.CLIENT, _workflow(start.id)):
            start.headers, update.headers = _injected(start.headers), _injected(update.headers)
            return await super().start_update_with_start_workflow(input)


class _Activities(worker.ActivityInboundInterceptor):
    def __init__(self, next: worker.ActivityInboundInterceptor, tracer: Tracer) -> None:
        super().__init__(next)
        self._tracer = tracer

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        info = activity.info()
        attributes = {
            **_workflow(info.workflow_id or ""),
            "temporalRunID": info.workflow_run_id or "",
            "temporalActivityID": info.activity_id,
            "temporal.attempt": info.attempt,
        }
        with (
            _attached(_extracted(input.headers)),
            _span(self._tracer, f"RunActivity:{info.activity_type}", SpanKind.SERVER, attributes),
        ):
            return await super().execute_activity(input)


class Causes:
    """The context of what a workflow does at the moment."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self._opening = Context()
        self._commands: dict[str, Context] = {}
        self._number: int = 0
        self._current = Context()
        self._at: datetime | None = None

    def open(self, sent: Context) -> Context:
        """The workflow begins, by a call whose context was sent along; long after it, in a trace of its own."""
        self._opening = sent
        name = f"RunWorkflow:{workflow.info().workflow_type}"
        long_ago = workflow.now() - workflow.info().start_time > _LONG
        self._opening = self._begun(name) if long_ago else self._told(name, sent)
        self._current = self._opening
        return self._opening

    def received(self, key: str | None, sent: Context) -> None:
        """A message with this key came, and its handler's span is what it brings about."""
        if key is not None:
            self._commands[key] = sent

    def links(self) -> Sequence[Link]:
        """To the opening, and to what went on before."""
        spans = (trace.get_current_span(each).get_span_context() for each in (self._opening, self._current))
        return [Link(each) for each in {each.span_id: each for each in spans}.values() if each.is_valid]

    def now(self) -> Context:
        """What an activity or a message that leaves now belongs to."""
        cause: object = getattr(workflow.instance(), "cause", None)
        if isinstance(cause, Cause):
            if cause.number != self._number:
                self._number = cause.number
                sent = self._commands.get(cause.command_key) if cause.command_key else None
                name = f"{cause.what.capitalize()}:{cause.stage}"
                self._current = sent or self._begun(name)
            return self._current
        handling = contexts.get_current()
        if trace.get_current_span(handling) is not trace.get_current_span(self._opening):
            return handling
        if workflow.now() - workflow.info().start_time > _LONG and self._at != workflow.now():
            self._at = workflow.now()
            self._current = self._begun(f"Wake:{workflow.info().workflow_type}")
        return self._current

    def _begun(self, name: str) -> Context:
        return self._told(name, Context(), self.links())

    def _told(self, name: str, parent: Context, links: Sequence[Link] = ()) -> Context:
        """A span that is over at once: what it has brought about hangs below it."""
        span = self.tracer.start_span(
            name, context=parent, kind=SpanKind.SERVER, attributes=_this_workflow(), links=links
        )
        span.end()
        return trace.set_span_in_context(span, parent)


class _Workflows(worker.WorkflowInboundInterceptor):
    causes: Causes

    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(_Outgoing(outbound, self.causes))

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:
        with _attached(self.causes.open(_extracted(input.headers))):
            return await super().execute_workflow(input)

    async def handle_signal(self, input: worker.HandleSignalInput) -> None:
        with self._handling(f"HandleSignal:{input.signal}", input.headers, input.args):
            await super().handle_signal(input)

    async def handle_update_handler(self, input: worker.HandleUpdateInput) -> Any:
        with self._handling(f"HandleUpdate:{input.update}", input.headers, input.args):
            return await super().handle_update_handler(input)

    @contextmanager
    def _handling(self, name: str, headers: _Headers, args: Sequence[Any]) -> Generator[None]:
        causes = self.causes
        sent = _extracted(headers)
        with _attached(sent), _span(causes.tracer, name, SpanKind.SERVER, _this_workflow(), causes.links()):
            causes.received(_key(args), contexts.get_current())
            yield


class _Outgoing(worker.WorkflowOutboundInterceptor):
    def __init__(self, next: worker.WorkflowOutboundInterceptor, causes: Causes) -> None:
        super().__init__(next)
        self._causes = causes

    def start_activity(self, input: worker.StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = self._caused(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: worker.StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = self._caused(input.headers)
        return super().start_local_activity(input)

    async def start_child_workflow(
        self,
        input: worker.StartChildWorkflowInput,
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = self._caused(input.headers)
        return await super().start_child_workflow(input)

    async def signal_child_workflow(self, input: worker.SignalChildWorkflowInput) -> None:
        input.headers = self._caused(input.headers)
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: worker.SignalExternalWorkflowInput) -> None:
        input.headers = self._caused(input.headers)
        await super().signal_external_workflow(input)

    def continue_as_new(self, input: worker.ContinueAsNewInput) -> NoReturn:
        input.headers = self._caused(input.headers)
        super().continue_as_new(input)

    def _caused(self, headers: _Headers) -> _Headers:
        return _injected(headers, self._causes.now())


@contextmanager
def _span(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, str | int],
    links: Sequence[Link] = (),
) -> Generator[Span]:
    with tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, links=links, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            # Its text may quote what somebody has typed.
            kind_of_error = getattr(error, "type", None) or type(error).__name__
            span.set_attribute("error.type", kind_of_error)
            span.set_status(Status(StatusCode.ERROR, kind_of_error))
            raise


@contextmanager
def _attached(context: Context) -> Generator[None]:
    token = contexts.attach(context)
    try:
        yield
    finally:
        # A handler that is torn down with its workflow ends in another context, where there is nothing to detach.
        if contexts.get_current() is context:
            contexts.detach(token)


def _key(args: Sequence[Any]) -> str | None:
    """The key of the command that a message carries."""
    if len(args) != 1:
        return None
    given: object = args[0]
    key: object = (
        cast("dict[str, object]", given).get("key") if isinstance(given, dict) else getattr(given, "key", None)
    )
    return key if isinstance(key, str) else None


def _workflow(workflow_id: str) -> dict[str, str]:
    return {"temporalWorkflowID": workflow_id}


def _this_workflow() -> dict[str, str]:
    info = workflow.info()
    return {**_workflow(info.workflow_id), "temporalRunID": info.run_id}


def _injected(headers: _Headers, context: Context | None = None) -> _Headers:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, context)
    if not carrier:
        return headers
    return {**headers, HEADER: PayloadConverter.default.to_payloads([carrier])[0]}


def _extracted(headers: _Headers) -> Context:
    """What was sent along. Whatever else a stranger has put there must not stop a case."""
    if (payload := headers.get(HEADER)) is None:
        return Context()
    try:
        (carrier,) = PayloadConverter.default.from_payloads([payload])
        return _propagator.extract(carrier, Context())
    except Exception:
        return Context()
