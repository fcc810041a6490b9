"""Repair 维修: the buyer sends goods in, and gets them back mended (M1 to M5).

Their way to the merchant, what becomes of goods that it does not take, and money instead are the same as for an
exchange (T2 to T15); its own are the stages in which the merchant decides, mends and sends back.
"""

from workflows.kinds import returning
from workflows.kinds.outgoing import MENDED
from workflows.kinds.process import Process


def process() -> Process:
    """M2 to M5: what is decided, sent in, mended and sent back."""
    return returning.process(MENDED, "Repair 维修 (M1 to M5, T2 to T7, T9 to T15)")
