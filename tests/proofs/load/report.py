"""How much load, and what came of it."""

from dataclasses import dataclass, field
from typing import Final

from tests.proofs.load.fairness import Fairness
from tests.proofs.load.gateway_down import GatewayDown
from tests.proofs.load.parked import Parked
from tests.proofs.load.rates import Rates
from tests.proofs.load.soak import Soak

PARTS: Final = ("rates", "fairness", "parked", "gateway", "soak")


@dataclass(frozen=True)
class Scale:
    """How much of it; lengths in seconds, rates in cases a second."""

    parts: str = ",".join(PARTS)
    workers: int = 1
    workflow_tasks: int = 0
    """That a worker carries out at a time; as usual where it is 0."""
    probe: float = 30.0
    """How long a rate is tried while the highest is looked for."""
    hold: float = 600.0
    twice: float = 120.0
    back: float = 1800.0
    """At most: until no more waits than before."""
    within: float = 2.0
    """A rate is held if a command takes no longer (p99), and no more waits than comes in so long a time."""
    rate: float = 0.0
    """The highest rate, where it is not to be looked for."""
    waiting: int = 10_000
    """Cases of one merchant in front of another's."""
    samples: int = 200
    """Commands that are measured one by one."""
    parked: int = 10_000
    cache: int = 2_000
    """Cases that the worker keeps in memory, for the parked ones."""
    away: float = 3600.0
    """How long the gateway is away."""
    compress: float = 1.0
    """Only one in so many of these seconds passes; case clocks are moved for the others."""
    gateway_rate: float = 0.0
    """Half of the highest, where it is 0."""
    soak: float = 3600.0
    soak_rate: float = 0.0
    """Half of the highest, where it is 0."""


@dataclass
class Report:
    """What was found, and all that is not as it must be."""

    busy_before: float = 0.0
    """The machine's load before it began."""
    rates: Rates | None = None
    fairness: Fairness | None = None
    parked: Parked | None = None
    gateway: GatewayDown | None = None
    soak: Soak | None = None
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    differences: list[str] = field(default_factory=list[str])
