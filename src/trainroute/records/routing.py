"""The routing plan: for each target and each (target, symbol) what was decided, on which evidence, and why.

Inside it is two Polars frames, so that a million decisions are one table; outside it is typed: `SymbolDecision` and
`CrossSectionalDecision` are what one entry of the JSON holds, and the columns of the frames follow from them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec
import polars as pl

from trainroute.config.planning import PlanningConfig
from trainroute.config.routing import RoutingConfig
from trainroute.errors import UnknownNameError
from trainroute.records.frames import record_schema
from trainroute.records.plan import Record
from trainroute.records.routing_file import decisions_id
from trainroute.records.routing_text import decisions_text
from trainroute.records.vocabulary import LeakageStatus, RouteState, SignalState, StabilityCategory, Task

ROUTING_PLAN_SCHEMA_VERSION = 1


class RoutingMetadata(Record, frozen=True, kw_only=True):
    """Where the plan comes from. ``columns_provided``: what the candidates table came with; the rest is not known.

    ``previous_plan_id``: the plan that hysteresis held on to; null where it is off or there was none.
    """

    schema_version: int
    generated_at: str
    git_commit: str | None
    code_version: str
    config_hash: str
    metrics_snapshot: str
    columns_provided: tuple[str, ...]
    plan_id: str
    previous_plan_id: str | None = None


class PolicyConfig(Record, frozen=True, kw_only=True):
    """The settings that the decisions were made by."""

    routing: dict[str, object]
    planning: dict[str, object]


class SideMargins(Record, frozen=True, kw_only=True):
    """Value minus threshold of each rule of one side; below zero it failed, null it was not there to check."""

    sample_size: float | None = None
    n_eff: float | None = None
    minority_events: float | None = None
    successful_families: float | None = None
    strong_score: float | None = None
    strong_ci_low: float | None = None
    strong_p_skill: float | None = None
    min_score: float | None = None
    min_p_skill: float | None = None
    experimental_score: float | None = None
    experimental_p_skill: float | None = None


class SymbolMargins(SideMargins, frozen=True, kw_only=True):
    """The margins of the local side, and those of the rules between the two sides."""

    p_cs_skill: float | None = None
    local_better_above: float | None = None
    cs_better_below: float | None = None


class SymbolScores(Record, frozen=True, kw_only=True):
    """Scores of a (target, symbol): local ones, those of the pooled model on the symbol's rows, and the difference."""

    score: float | None = None
    score_ci_low: float | None = None
    score_ci_high: float | None = None
    score_shrunk: float | None = None
    p_skill: float | None = None
    cs_score: float | None = None
    cs_score_shrunk: float | None = None
    p_cs_skill: float | None = None
    delta_local: float | None = None
    delta_local_se: float | None = None
    p_local_better: float | None = None


class SampleEvidence(Record, frozen=True, kw_only=True):
    """How much data there is, and what is known of it; ``previous_*``: what held before, with hysteresis."""

    sample_size: int | None = None
    n_eff: float | None = None
    n_blocks: int | None = None
    minority_events: int | None = None
    successful_families: int | None = None
    stability: StabilityCategory = StabilityCategory.UNKNOWN
    leakage_status: LeakageStatus = LeakageStatus.UNKNOWN
    feature_set_id: str | None = None
    previous_state: SignalState | None = None
    previous_route: RouteState | None = None


class SymbolDecision(Record, frozen=True, kw_only=True):
    """What was decided for one (target, symbol).

    ``blocked_by`` says what kind of reason blocks it; ``pinned_by`` which pin of the config decided.
    """

    route: RouteState
    cs_state: SignalState
    local_state: SignalState
    scores: SymbolScores
    evidence: SampleEvidence
    margins: SymbolMargins
    reasons: tuple[str, ...]
    blocked_by: str | None = None
    pinned_by: str | None = None


class CrossSectionalDecision(SampleEvidence, frozen=True, kw_only=True):
    """What was decided for the pooled side of one target.

    ``measured`` is False where the candidates have no CROSS_SECTIONAL row; ``pinned_by`` says which pin of the config
    lets a side train that the rules disallow.
    """

    state: SignalState
    measured: bool = True
    score: float | None = None
    score_ci_low: float | None = None
    score_ci_high: float | None = None
    score_shrunk: float | None = None
    p_skill: float | None = None
    cs_score_within_date: float | None = None
    n_targets_considered: int | None = None
    task_type: Task | None = None
    metric_name: str | None = None
    horizon_minutes: float | None = None
    margins: SideMargins
    reasons: tuple[str, ...]
    pinned_by: str | None = None


PAIR_SCHEMA = {"target": pl.String(), "symbol": pl.String(), **record_schema(SymbolDecision)}
EXPLAINING = ("margins", "reasons")
"""The columns of a pair that only explain what was decided."""
POOLED_SCHEMA = {"target": pl.String(), **record_schema(CrossSectionalDecision)}


def trains_local() -> pl.Expr:
    """Whether a decision asks for a model of the symbol's own."""
    route = pl.col("route")
    lane = (route == RouteState.ROUTE_EXPERIMENTAL_ONLY) & (pl.col("local_state") == SignalState.EXPERIMENTAL)
    return route.is_in([RouteState.ROUTE_SYMBOL_SPECIFIC, RouteState.ROUTE_BOTH]) | lane


def trains_pooled() -> pl.Expr:
    """Whether a decision asks for the target's pooled model."""
    route = pl.col("route")
    lane = (route == RouteState.ROUTE_EXPERIMENTAL_ONLY) & (pl.col("local_state") != SignalState.EXPERIMENTAL)
    return route.is_in([RouteState.ROUTE_CROSS_SECTIONAL, RouteState.ROUTE_BOTH]) | lane


def teaches_pool(config: RoutingConfig, planning: PlanningConfig) -> pl.Expr:
    """Whether a pair's rows belong to its target's pool."""
    return ~pl.any_horizontal(when for when, _ in kept_from_pool(config, planning))


def kept_from_pool(config: RoutingConfig, planning: PlanningConfig) -> list[tuple[pl.Expr, str]]:
    """Return what keeps the rows of a pair from its target's pool, never null, and its words."""
    evidence, least = pl.col("evidence").struct, config.min_sample_size.symbol
    rows = evidence.field("sample_size")
    found = [((rows <= 0).fill_null(value=False), "without rows")]
    if config.block_on_leakage:
        found.insert(0, (evidence.field("leakage_status") == LeakageStatus.BLOCKED, "with leakage BLOCKED"))
    if not planning.short_symbols_teach_pool:
        short = ~(rows >= least).fill_null(value=False)
        found.append((short, f"of fewer than {least} rows (planning.short_symbols_teach_pool is off)"))
    if not planning.local_symbols_teach_pool:
        local = pl.col("route") == RouteState.ROUTE_SYMBOL_SPECIFIC
        found.append((local, "routed to a model of their own (planning.local_symbols_teach_pool is off)"))
    return found


def routes_counted(pairs: pl.DataFrame) -> dict[RouteState, int]:
    """Return how many pairs have each route; every route has a count."""
    counted = dict(pairs.group_by("route").len().iter_rows())
    return {route: int(counted.get(route.value, 0)) for route in RouteState}


def causes_counted(pairs: pl.DataFrame) -> dict[str, int]:
    """Return how many pairs each cause blocks, most first."""
    blocked = pairs.filter(pl.col("blocked_by").is_not_null()).group_by("blocked_by").len()
    return {why: int(n) for why, n in blocked.sort(["len", "blocked_by"], descending=[True, False]).iter_rows()}


def near_margins() -> dict[str, pl.Expr]:
    """Return the margins of a pair's own score and skill, null where crossing the threshold changes no state of it."""
    good = pl.col("local_state").is_in([SignalState.STRONG, SignalState.WEAK_BUT_OK])
    matters = {"strong": good, "min": pl.lit(value=True), "experimental": ~good}
    names = [f"{level}_{what}" for level in matters for what in ("score", "p_skill")]
    margin = pl.col("margins").struct
    return {name: pl.when(matters[name.split("_")[0]]).then(margin.field(name)) for name in names}


def score_column(config: RoutingConfig, provided: frozenset[str]) -> str:
    """Return the column that scores are compared in: the shrunk one if enabled and known."""
    return "score_shrunk" if config.evidence.use_shrunk_score and "score_shrunk" in provided else "score"


def pooled_score_on_symbol(config: RoutingConfig, provided: frozenset[str]) -> str:
    """Return the column that holds the pooled model's score on a symbol's rows."""
    return "cs_score_shrunk" if config.evidence.use_shrunk_score and "cs_score_shrunk" in provided else "cs_score"


@dataclass(frozen=True)
class RoutingPlan:
    """The decisions of all targets.

    Attributes
    ----------
    metadata : RoutingMetadata
    routing, planning : RoutingConfig, PlanningConfig
        The settings that were in force.
    pooled : polars.DataFrame
        One row per target, sorted; columns of `POOLED_SCHEMA`.
    pairs : polars.DataFrame
        One row per (target, symbol), sorted; columns of `PAIR_SCHEMA`, without ``margins`` and ``reasons`` where the
        plan was read without them.
    """

    metadata: RoutingMetadata
    routing: RoutingConfig
    planning: PlanningConfig
    pooled: pl.DataFrame
    pairs: pl.DataFrame

    @property
    def plan_id(self) -> str:
        """The identity of the decisions."""
        return self.metadata.plan_id

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets, sorted."""
        return tuple(self.pooled["target"].to_list())

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of all targets, sorted."""
        return tuple(self.pairs["symbol"].unique().sort().to_list())

    def cross_sectional(self, target: str) -> CrossSectionalDecision:
        """Return the decision on the pooled side of a target.

        Raises
        ------
        UnknownNameError
            If the plan does not have the target.
        """
        found = self.pooled.filter(pl.col("target") == target)
        if found.height == 0:
            raise UnknownNameError("target", target, self.targets)
        return msgspec.convert(_only(found, {"target"}), CrossSectionalDecision)

    def symbol_decision(self, target: str, symbol: str) -> SymbolDecision:
        """Return the decision on a (target, symbol).

        Raises
        ------
        UnknownNameError
            If the plan does not have the target, or not the symbol for this target.
        """
        of_target = self.pairs.filter(pl.col("target") == target)
        found = of_target.filter(pl.col("symbol") == symbol)
        if found.height == 0:
            self.cross_sectional(target)
            raise UnknownNameError(f"symbol of target {target!r}", symbol, of_target["symbol"].to_list())
        return msgspec.convert(_only(found, {"target", "symbol"}), SymbolDecision)

    def route_counts(self) -> dict[RouteState, int]:
        """Return how many pairs have each route; every route has a count."""
        return routes_counted(self.pairs)

    @cached_property
    def targets_part(self) -> list[bytes]:
        """The canonical JSON of ``targets`` as chunks, one line per symbol."""
        return list(decisions_text(self.pooled, self.pairs))


def identified(plan: RoutingPlan) -> RoutingPlan:
    """Return the plan with its ``plan_id`` computed from its decisions."""
    chunks: list[bytes] = []
    plan_id = decisions_id(plan.metadata.config_hash, _kept(decisions_text(plan.pooled, plan.pairs), chunks))
    done = replace(plan, metadata=msgspec.structs.replace(plan.metadata, plan_id=plan_id))
    done.__dict__["targets_part"] = chunks  # keep what the hash has already laid out
    return done


def _kept(chunks: Iterable[bytes], kept: list[bytes]) -> Iterator[bytes]:
    """Pass chunks on one by one, so that they are hashed while the next ones are made, and keep them."""
    for chunk in chunks:
        kept.append(chunk)
        yield chunk


def _only(found: pl.DataFrame, without: set[str]) -> Mapping[str, object]:
    row: dict[str, object] = found.row(0, named=True)
    return {key: value for key, value in row.items() if key not in without}
