"""The activities that cases call, as their names and signatures.

``workflows/`` knows activities by these stubs only; ``activities/`` carries them out under the same names, and the
interpreter does the same in memory.
"""

from workflows.messages.cases import Step, Stepped
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.settlements import EnterCallback, Settle, Settled, SettleManually


async def open_case(opening: OpenCase) -> Opened:
    """Check a request against the world, take the policy's snapshot, write the first step down."""
    raise NotImplementedError


async def record_step(step: Step) -> Stepped:
    """Write a step of a case: log, work list, deadline, notices, reservation, balance; one transaction."""
    raise NotImplementedError


async def settle(settling: Settle) -> Settled:
    """Submit, ask about, or retry a payout at the gateway (section 10)."""
    raise NotImplementedError


async def settle_manually(settling: SettleManually) -> Settled:
    """Record that an officer has paid, after asking the gateway (section 10)."""
    raise NotImplementedError


async def enter_callback(entering: EnterCallback) -> Settled:
    """Enter a gateway's callback into the ledger (section 10)."""
    raise NotImplementedError
