"""Candidates to decisions, over the whole table at once (SPEC section 5).

1. `facts_of` splits the candidates into pooled and local rows, rounded to 6 decimals.
2. `checks_of` and `state_of` give the state of the pooled side of each target and the local side of each pair.
3. A symbol leaves the service of the pool on evidence only (`serving_checks`).
4. `route_of` reads the table; `pinned` gives people's pins their way; `capped` enforces the limit of the
   experimental lane.
5. Every decision gets its reasons and its distance to each threshold (`explained_pairs`).
"""

from typing import TYPE_CHECKING

import polars as pl

from trainroute.config.pins import require_unexpired
from trainroute.config.routing import RoutingConfig
from trainroute.provenance import code_version
from trainroute.records.candidates import Candidates
from trainroute.records.routing import (
    PAIR_SCHEMA,
    POOLED_SCHEMA,
    ROUTING_PLAN_SCHEMA_VERSION,
    RoutingMetadata,
    RoutingPlan,
    identified,
    score_column,
)
from trainroute.records.vocabulary import Mode, RouteState, SignalState
from trainroute.route.between import serving_checks
from trainroute.route.checks import Level
from trainroute.route.experimental import capped
from trainroute.route.facts import Facts, facts_of
from trainroute.route.hysteresis import Basis, basis_of, remembered
from trainroute.route.pins import lifted, pinned
from trainroute.route.reasons import explained_pairs, explained_pooled
from trainroute.route.rules import checks_of
from trainroute.route.states import cause_of, passes, state_of
from trainroute.route.table import route_of

if TYPE_CHECKING:
    from trainroute.config import Config


def build_routing_plan(
    candidates: Candidates,
    config: "Config",
    *,
    generated_at: str,
    git_commit: str | None,
    previous: RoutingPlan | None = None,
    cut_from: Candidates | None = None,
) -> RoutingPlan:
    """Decide the route of every (target, symbol).

    Parameters
    ----------
    candidates : Candidates
        Validated; see `trainroute.records.candidates_io`.
    config : Config
        ``routing`` decides; ``planning`` is recorded beside it.
    generated_at, git_commit : str
        Volatile metadata; no part of the plan's identity. Pins expire by ``generated_at``.
    previous : RoutingPlan, optional
        What ``routing.hysteresis`` holds on to; without a margin it does not matter.
    cut_from : Candidates, optional
        The table that the candidates are a part of: the plan is stale once it changes.

    Raises
    ------
    ConfigError
        If a pin has expired, or two contradict each other.
    """
    require_unexpired(config.routing.pins, generated_at)
    snapshot = (cut_from or candidates).snapshot
    facts, before = _facts_after(previous, candidates, config, snapshot)
    pooled, pairs = routed(facts, config.routing)
    pooled = explained_pooled(pooled, config.routing, facts.provided)
    pairs = explained_pairs(pairs, config.routing, facts.provided)
    metadata = RoutingMetadata(
        schema_version=ROUTING_PLAN_SCHEMA_VERSION,
        generated_at=generated_at,
        git_commit=git_commit,
        code_version=code_version(),
        config_hash=config.config_hash,
        metrics_snapshot=snapshot,
        columns_provided=tuple(sorted(candidates.provided)),
        plan_id="",
        previous_plan_id=before.plan_id,
    )
    draft = RoutingPlan(
        metadata=metadata,
        routing=config.routing,
        planning=config.planning,
        pooled=pooled.select(pl.col(name).cast(dtype) for name, dtype in POOLED_SCHEMA.items()),
        pairs=pairs.select(pl.col(name).cast(dtype) for name, dtype in PAIR_SCHEMA.items()),
    )
    return identified(draft)


def routes_of(candidates: Candidates, config: "Config", previous: RoutingPlan | None = None) -> pl.DataFrame:
    """Return ``target, symbol, route`` alone, as `build_routing_plan` decides them."""
    facts, _ = _facts_after(previous, candidates, config, candidates.snapshot)
    return routed(facts, config.routing)[1].select("target", "symbol", "route")


def _facts_after(
    previous: RoutingPlan | None, candidates: Candidates, config: "Config", snapshot: str
) -> tuple[Facts, Basis]:
    held_on_to = previous if config.routing.hysteresis.on else None
    before = basis_of(held_on_to, config_hash=config.config_hash, metrics_snapshot=snapshot)
    return remembered(facts_of(candidates, config.routing), before), before


def routed(facts: Facts, config: RoutingConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decide states and routes alone, without reasons and margins.

    Returns
    -------
    pooled : polars.DataFrame
        The pooled facts with ``state``, and ``state_by_rules`` without what a pin lifted.
    pairs : polars.DataFrame
        The facts of the pairs with ``cs_state, local_state, route, blocked_by``, and what the reasons are made of:
        ``target_state, target_score, over`` (why the lane is full).
    """
    pooled, pairs = before_cap(facts, config)
    cause = cause_of(checks_of(Mode.SYMBOL, config, facts.provided))
    blocked = pl.col("route") == RouteState.ROUTE_BLOCKED
    pairs = pairs.with_columns(blocked_by=pl.when(blocked).then(pl.coalesce("blocked_by", cause)))
    return lifted(pooled, pairs, config), capped(pairs, config, facts.provided)


def before_cap(facts: Facts, config: RoutingConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decide as `routed`, but for what the rules block a pair by, the cap on the lane and what a pin lifts."""
    provided = facts.provided
    pooled = facts.pooled.with_columns(state=state_of(checks_of(Mode.CROSS_SECTIONAL, config, provided)))
    checks = checks_of(Mode.SYMBOL, config, provided)
    score = score_column(config, provided)
    of_target = pooled.select("target", target_state="state", target_score=score, target_rows="sample_size")
    served = passes(serving_checks(config, provided), Level.POOL)
    cs_state = pl.when(served).then("target_state").otherwise(pl.lit(SignalState.DISALLOWED.value))
    route = route_of(pl.col("cs_state"), pl.col("local_state"), config, provided)
    pairs = (
        facts.pairs.join(of_target, on="target", how="left", maintain_order="left")
        .with_columns(local_state=state_of(checks), cs_state=cs_state)
        .with_columns(route=route, state_by_rules="local_state")
    )
    return pooled, pinned(pairs, config)
