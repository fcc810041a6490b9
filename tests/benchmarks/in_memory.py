"""How many cases the interpreter carries in a second of one core (``python -m tests.benchmarks.in_memory``).

Refunds that have not shipped and are approved, each of an order of its own, in one interpreter. What is measured is
processor time, which is right on a busy machine too.
"""

import gc
import sys
import time
from datetime import UTC, datetime, timedelta

from starter.interpreter.example import order, refund_of
from starter.interpreter.interpreter import Interpreter
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind

BEGAN = datetime(2026, 3, 2, 2, tzinfo=UTC)


def cases_a_second(cases: int) -> float:
    """Carry so many cases to their ends; how many of them a second of processor time is enough for."""
    interpreter = Interpreter(BEGAN)
    began = time.process_time()
    for number in range(cases):
        order_no = f"O-{number}"
        interpreter.shop.orders[order_no] = order(order_no, BEGAN - timedelta(days=1))
        case = interpreter.open(refund_of(order_no))
        interpreter.act(case, Approve(key=f"c-{number}", by=merchant("M-1")))
    took = time.process_time() - began
    ends = {outcome.outcome for case in interpreter.cases() if (outcome := interpreter.outcome(case))}
    if ends != {OutcomeKind.REFUNDED} or len(interpreter.cases()) != cases:
        raise AssertionError(ends)
    return cases / took


def main(cases: int) -> None:
    """Print it, once everything is warm."""
    cases_a_second(200)
    gc.collect()
    print(f"{cases_a_second(cases):,.0f} cases a second of processor time, {cases:,} refunds, all of them approved")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
