"""The training plan: what `train` executes, and the only thing it reads.

On disk it is ``globals/training_plan/master_training_plan.json``. In memory it is frozen and typed, and also reads as
a mapping (``plan["jobs"]``, ``job["target"]``) for users of the ``TRAINING`` names.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec

from trainroute.records.vocabulary import RouteState, SignalState, TrainingType

TRAINING_PLAN_SCHEMA_VERSION = 1
NO_POOL = "a pool that no symbol may teach"

_ENCODER = msgspec.json.Encoder(order="sorted")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A frozen, typed record that also reads as a mapping of its fields.

    Records are trees and can hold no cycle, so the collector need not walk the hundred thousands of a large plan.
    """

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - a mapping view over fields of any type
        if key not in self.__struct_fields__:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__struct_fields__)

    def __len__(self) -> int:
        return len(self.__struct_fields__)

    def __contains__(self, key: object) -> bool:
        return key in self.__struct_fields__

    def keys(self) -> tuple[str, ...]:
        """Return the names of the fields."""
        return self.__struct_fields__

    def values(self) -> tuple[Any, ...]:
        """Return the values of the fields."""
        return tuple(getattr(self, name) for name in self.__struct_fields__)

    def items(self) -> tuple[tuple[str, Any], ...]:
        """Return the names of the fields with their values."""
        return tuple(zip(self.keys(), self.values(), strict=True))

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as dict.get
        """Return the field of that name, or ``default``."""
        return getattr(self, key) if key in self else default


class JobMetadata(Record, frozen=True, kw_only=True):
    """The evidence behind a job, and what the trainer needs beyond target and symbol.

    ``symbols`` (CS jobs): the symbols that the model serves; ``both_symbols``: those of them routed to BOTH;
    ``training_symbols``: the pool that it trains on. ``blend_weight`` (BOTH): weight of the local model in the blend.
    """

    cs_state: SignalState | None = None
    local_state: SignalState | None = None
    cs_score: float | None = None
    local_score: float | None = None
    p_local_better: float | None = None
    sample_size: int | None = None
    feature_set_id: str | None = None
    estimated_cost_seconds: float = 0.0
    symbols: tuple[str, ...] = ()
    both_symbols: tuple[str, ...] = ()
    training_symbols: tuple[str, ...] = ()
    cs_job_id: str | None = None
    blend_weight: float | None = None
    families_left_out: dict[str, str] = {}


class TrainingJob(Record, frozen=True, kw_only=True):
    """One model to train per family: a target, and one symbol (None: the pool)."""

    job_id: str
    target: str
    symbol: str | None
    route: RouteState
    training_type: TrainingType
    model_families: tuple[str, ...]
    priority: int
    reason: str
    metadata: JobMetadata


class FeatureSet(Record, frozen=True, kw_only=True):
    """The features that a target's models use, and those kept away from them."""

    features: tuple[str, ...]
    quarantined: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()


class TrainingPlanMetadata(Record, frozen=True, kw_only=True):
    """Where the plan comes from.

    ``data_fingerprint`` covers the files of ``data_symbols``: those that were measured, of which the plan may decide on
    a part; null: of ``symbols``.
    """

    schema_version: int
    generated_at: str
    run_id: str
    git_commit: str | None
    config_hash: str
    routing_plan_path: str
    routing_plan_id: str
    metrics_snapshot: str
    data_fingerprint: str | None
    symbols: tuple[str, ...]
    targets: tuple[str, ...]
    code_version: str
    total_jobs: int
    model_families: tuple[str, ...]
    plan_id: str
    data_symbols: tuple[str, ...] | None = None

    @property
    def fingerprinted_symbols(self) -> tuple[str, ...]:
        """The symbols whose files ``data_fingerprint`` covers."""
        return self.symbols if self.data_symbols is None else self.data_symbols


class LeftOutJob(Record, frozen=True, kw_only=True):
    """A job that decisions ask for and the budget has no room for; ``value`` in skill above 0.5, added over symbols."""

    job_id: str
    target: str
    symbol: str | None
    value: float
    cost_seconds: float
    reason: str


class BudgetReport(Record, frozen=True, kw_only=True):
    """The limits that a plan was made within, and what these left out, best first.

    ``cost_source`` is ``formula`` or ``ledger``.
    """

    max_jobs: int | None
    max_cost_seconds: float | None
    cost_source: str
    jobs_asked: int
    cost_asked_seconds: float
    cost_kept_seconds: float
    left_out: tuple[LeftOutJob, ...]

    def line(self) -> str:
        """Say on one line how much of what was asked for is kept."""
        left = len(self.left_out)
        jobs = f"{self.jobs_asked - left} of {self.jobs_asked} jobs"
        cost = f"{self.cost_kept_seconds:.1f} of {self.cost_asked_seconds:.1f} s ({self.cost_source})"
        return f"{jobs}, {cost}; {left} left out"


class TrainingPlanSummary(Record, frozen=True, kw_only=True):
    """Counts: ``by_*`` and ``total_*_jobs`` of jobs, the others of (target, symbol) pairs.

    ``pairs_without_pool`` of the ``total_pairs`` are routed to a pool that no symbol may teach, so that it has no job.
    ``budget`` is null where nothing limited the plan.
    """

    by_route: dict[str, int]
    by_type: dict[str, int]
    by_priority: dict[str, int]
    total_cs_jobs: int
    total_symbol_jobs: int
    total_blocked: int
    blocked_reasons: dict[str, int] = {}
    total_pairs: int = 0
    pairs_without_pool: int = 0
    budget: BudgetReport | None = None


class TrainingPlan(Record, frozen=True, kw_only=True, dict=True, gc=True):
    """The whole plan. Jobs stand in the order in which they run: priority, then id."""

    metadata: TrainingPlanMetadata
    feature_sets: dict[str, FeatureSet]
    jobs: tuple[TrainingJob, ...]
    summary: TrainingPlanSummary

    @cached_property
    def job_lines(self) -> list[bytes]:
        """The canonical JSON of each job."""
        return _ENCODER.encode_lines(self.jobs).splitlines()
