"""From what one case costs to what many need: the arithmetic of docs/capacity.md, as pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SECONDS_A_DAY: Final = 86_400
HOURS_A_MONTH: Final = 730
SECONDS_A_MONTH: Final = HOURS_A_MONTH * 3600
SECONDS_A_YEAR: Final = 365 * SECONDS_A_DAY

PRICES_LOOKED_UP: Final = "2026-11-27"
ACTION_TIERS: Final[Sequence[tuple[float, float]]] = (
    (5e6, 50), (10e6, 45), (20e6, 40), (50e6, 35), (100e6, 30), (200e6, 25),
)  # fmt: skip
"""Temporal Cloud, pay as you go: up to so many actions a month, dollars for a million of them."""
ACTIVE_DOLLARS_PER_GB_HOUR: Final = 0.042
RETAINED_DOLLARS_PER_GB_HOUR: Final = 0.00105
PLAN_LEAST_DOLLARS: Final = 500
PLAN_SHARE: Final = 0.1
"""The Business plan costs this share of the use, and no less than ``PLAN_LEAST_DOLLARS`` a month."""
PLAN_ACTIONS: Final = 2.5e6
PLAN_ACTIVE_GB: Final = 2.5
PLAN_RETAINED_GB: Final = 100
APS_OF_NAMESPACE: Final = 500
"""Actions a second that a namespace of Temporal Cloud has without asking, and that each resource unit has."""


@dataclass(frozen=True)
class CaseCost:
    """What one case costs from its request to its end."""

    worker_ms: float
    """Processor milliseconds; so are the next two."""
    temporal_ms: float
    postgres_ms: float
    transactions: float
    rows: float
    """Inserted, updated and deleted."""
    stored_bytes: float
    """In our tables and their indexes."""
    wal_bytes: float
    transitions: float
    """State transitions of the workflow: each is one write of its history shard."""
    open_history_bytes: float
    history_bytes: float
    temporal_bytes: float
    """What Temporal stores in all: history, state, visibility."""
    memory_bytes: float
    """In a worker's cache."""
    actions: float
    payouts: float = 1
    notices: float = 4


@dataclass(frozen=True)
class Assumptions:
    """What was chosen and not measured. Put your own."""

    use: float = 0.6
    """Share of a core or a slot that is used on average: the rest is for peaks and for a lost machine."""
    persistence_seconds: float = 0.010
    """One write of a history shard, as `persistence_latency` shows it."""
    shard_use: float = 0.25
    """Share of time in which a shard writes: a shard does one operation at a time, and others wait."""
    executions_per_shard: float = 20_000
    least_shards: int = 512
    most_shards: int = 131_072
    shards_per_history: int = 500
    worker_base_bytes: float = 300e6
    worker_cache_bytes: float = 1e9
    """Memory of a worker that holds cases in its cache."""
    slots: int = 100
    """Activities that a worker runs at a time (`AFTERSALES_MAX_CONCURRENT_ACTIVITIES`)."""
    gateway_seconds: float = 1.0
    channel_seconds: float = 0.3
    connections_per_worker: int = 20
    """Of its pools for the case book, the stubs and the key store, at most."""
    primary_cores: int = 32
    primary_wal_bytes: float = 100e6
    """WAL a second that one primary and its replicas keep up with."""
    primary_bytes: float = 4e12
    """Bytes that one primary holds: what can be backed up and restored in a night."""
    open_days: float = 1
    """How long a case is open on average: for the price, where both open and new cases count."""
    kept_days: int = 90
    """Closed cases younger than this stay where open ones are."""
    retention_days: int = 30


@dataclass(frozen=True)
class RateNeeds:
    """What new cases a second need."""

    worker_cores: float
    workers: int
    money_workers: int
    """Processes with the role `money`, by the slots that wait for the gateway."""
    notice_workers: int
    temporal_cores: float
    """Of the server's four services together: the least, since the development server has no network between."""
    transitions: float
    """A second."""
    shards: int
    """Of one Temporal service; beyond `most_shards` it takes several."""
    history_processes: int
    postgres_cores: float
    transactions: float
    rows: float
    wal_bytes: float
    connections: int
    bytes_a_year: float
    kept_bytes: float
    """With closed cases leaving after `kept_days`."""
    primaries: int
    retained_bytes: float
    """Histories of ended cases within the retention, as Temporal Cloud counts them."""
    temporal_bytes: float
    """What an own Temporal service stores of ended cases within the retention."""
    visibility_rows: float
    actions: float
    """A second."""
    resource_units: int
    actions_a_month: float


@dataclass(frozen=True)
class OpenNeeds:
    """What open cases need while nothing happens to them."""

    shards: int
    active_bytes: float
    """Histories, as Temporal Cloud counts them."""
    temporal_bytes: float
    """What an own Temporal service stores, at the most: as much as for a whole case."""
    active_dollars: float
    """A month on Temporal Cloud, without what a plan includes."""
    case_book_bytes: float
    cache_bytes: float
    """If every one of them stayed in a worker's cache."""
    cache_workers: int


@dataclass(frozen=True)
class Price:
    """Dollars a month on Temporal Cloud."""

    actions: float
    active: float
    retained: float
    plan: float
    listed: bool
    """Whether all actions are within the public list; above it, the last tier's price is the most."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.actions + self.active + self.retained + self.plan


def for_rate(cost: CaseCost, new_a_second: float, assumed: Assumptions) -> RateNeeds:
    """What so many new cases a second need, each of them decided and ended after a while."""
    worker_cores = new_a_second * cost.worker_ms / 1000 / assumed.use
    postgres_cores = new_a_second * cost.postgres_ms / 1000 / assumed.use
    transitions = new_a_second * cost.transitions
    shards = shards_for(transitions, 0, assumed)
    workers = max(2, math.ceil(worker_cores))
    money = _waiting(new_a_second * cost.payouts * assumed.gateway_seconds, assumed)
    notices = _waiting(new_a_second * cost.notices * assumed.channel_seconds, assumed)
    bytes_a_second = new_a_second * cost.stored_bytes
    kept = bytes_a_second * SECONDS_A_DAY * assumed.kept_days
    wal = new_a_second * cost.wal_bytes
    ended = new_a_second * SECONDS_A_DAY * assumed.retention_days
    actions = new_a_second * cost.actions
    return RateNeeds(
        worker_cores=worker_cores,
        workers=workers,
        money_workers=money,
        notice_workers=notices,
        temporal_cores=new_a_second * cost.temporal_ms / 1000 / assumed.use,
        transitions=transitions,
        shards=shards,
        history_processes=max(2, math.ceil(shards / assumed.shards_per_history)),
        postgres_cores=postgres_cores,
        transactions=new_a_second * cost.transactions,
        rows=new_a_second * cost.rows,
        wal_bytes=wal,
        connections=(workers + money + notices) * assumed.connections_per_worker,
        bytes_a_year=bytes_a_second * SECONDS_A_YEAR,
        kept_bytes=kept,
        primaries=max(
            math.ceil(postgres_cores / assumed.primary_cores),
            math.ceil(wal / assumed.primary_wal_bytes),
            math.ceil(kept / assumed.primary_bytes),
        ),
        retained_bytes=ended * cost.history_bytes,
        temporal_bytes=ended * cost.temporal_bytes,
        visibility_rows=ended,
        actions=actions,
        resource_units=max(1, math.ceil(actions / APS_OF_NAMESPACE)),
        actions_a_month=actions * SECONDS_A_MONTH,
    )


def for_open(cost: CaseCost, open_cases: float, assumed: Assumptions) -> OpenNeeds:
    """What so many open cases need."""
    cache = open_cases * cost.memory_bytes
    active = open_cases * cost.open_history_bytes
    return OpenNeeds(
        shards=shards_for(0, open_cases, assumed),
        active_bytes=active,
        active_dollars=active / 1e9 * HOURS_A_MONTH * ACTIVE_DOLLARS_PER_GB_HOUR,
        temporal_bytes=open_cases * cost.temporal_bytes,
        case_book_bytes=open_cases * cost.stored_bytes,
        cache_bytes=cache,
        cache_workers=max(2, math.ceil(cache / assumed.worker_cache_bytes)),
    )


def shards_for(transitions: float, executions: float, assumed: Assumptions) -> int:
    """History shards: a power of two that both so many writes a second and so many open executions fit into.

    Not capped: a number above ``assumed.most_shards`` says that one Temporal service is not enough.
    """
    by_rate = transitions * assumed.persistence_seconds / assumed.shard_use
    by_number = executions / assumed.executions_per_shard
    return _power_of_two(max(by_rate, by_number, assumed.least_shards))


def mean_open_seconds(open_cases: float, new_a_second: float) -> float:
    """How long a case is open on average where these two go together (Little's law)."""
    return open_cases / new_a_second


def action_dollars(actions: float) -> tuple[float, bool]:
    """Dollars for so many actions a month beyond the plan's own, and whether the public list goes so far."""
    dollars = 0.0
    below = 0.0
    for limit, price in ACTION_TIERS:
        dollars += max(0.0, min(actions, limit) - below) / 1e6 * price
        below = limit
    beyond = max(0.0, actions - below)
    return dollars + beyond / 1e6 * ACTION_TIERS[-1][1], not beyond


def price(actions_a_month: float, active_bytes: float, retained_bytes: float) -> Price:
    """What Temporal Cloud's Business plan costs a month, what the plan includes left out."""
    dollars, listed = action_dollars(max(0.0, actions_a_month - PLAN_ACTIONS))
    active = max(0.0, active_bytes / 1e9 - PLAN_ACTIVE_GB) * HOURS_A_MONTH * ACTIVE_DOLLARS_PER_GB_HOUR
    retained = max(0.0, retained_bytes / 1e9 - PLAN_RETAINED_GB) * HOURS_A_MONTH * RETAINED_DOLLARS_PER_GB_HOUR
    plan = max(PLAN_LEAST_DOLLARS, PLAN_SHARE * (dollars + active + retained))
    return Price(dollars, active, retained, plan, listed)


def _waiting(busy: float, assumed: Assumptions) -> int:
    """Processes for so many activities that wait at a time."""
    return max(2, math.ceil(busy / (assumed.slots * assumed.use)))


def _power_of_two(least: float) -> int:
    return 1 << max(0, math.ceil(math.log2(least)))
