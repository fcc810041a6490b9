"""Counting attempts of activities that fail, by the kind of error."""

from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.measures import Measures


class CountedFailures(Interceptor):
    """The SDK counts failures by activity; which error it was is what one wants to know."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See ``Interceptor``."""
        return _Counting(next, self._measures)


class _Counting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, measures: Measures) -> None:
        super().__init__(next)
        self._measures = measures

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except Exception as error:
            self._measures.failed(activity.info().activity_type, error)
            raise
