"""Hysteresis: what passed a threshold in the previous plan passes until it falls below threshold − margin.

1. `remembered` puts the previous states and routes beside the facts; they are recorded in the decisions, so that a
   plan explains itself and its identity covers them.
2. `eased` lowers the thresholds of one side's levels where the previous state had reached that level.
3. `moved_where` moves the thresholds between the two sides where the previous route rested on them.

Gates (rows, windows, events, leakage) and stability know no margin: they are not noise around a threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from trainroute.config.routing import HysteresisRules, RoutingConfig
from trainroute.records.candidates import DECIMALS
from trainroute.records.routing import RoutingPlan
from trainroute.records.vocabulary import RouteState, SignalState
from trainroute.route.checks import Check, Level, setting
from trainroute.route.facts import Facts

STATE, ROUTE = "previous_state", "previous_route"
_REACHED = {
    Level.STRONG: (SignalState.STRONG,),
    Level.WEAK_BUT_OK: (SignalState.STRONG, SignalState.WEAK_BUT_OK),
    Level.EXPERIMENTAL: (SignalState.STRONG, SignalState.WEAK_BUT_OK, SignalState.EXPERIMENTAL),
}
_SCORES = frozenset({"strong_score", "min_score", "experimental_score", "strong_ci_low"})
_PROBABILITIES = frozenset({"strong_p_skill", "min_p_skill", "experimental_p_skill"})


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What is held on to: for each target and pair the state and route before, and the plan that they are of."""

    plan_id: str | None
    pooled: pl.DataFrame
    pairs: pl.DataFrame


def basis_of(previous: RoutingPlan | None, *, config_hash: str, metrics_snapshot: str) -> Basis:
    """Return what a plan of these candidates and settings remembers of ``previous``.

    A plan that is made again from the same candidates and settings remembers what it remembered the first time, so
    that making it again changes nothing.
    """
    if previous is None:
        names = {"target": pl.String, "symbol": pl.String, STATE: pl.String, ROUTE: pl.String}
        return Basis(plan_id=None, pooled=pl.DataFrame(schema=names).drop("symbol"), pairs=pl.DataFrame(schema=names))
    made_of = (previous.metadata.config_hash, previous.metadata.metrics_snapshot)
    if made_of == (config_hash, metrics_snapshot):
        evidence = pl.col("evidence").struct
        return Basis(
            plan_id=previous.metadata.previous_plan_id,
            pooled=previous.pooled.select("target", STATE, ROUTE),
            pairs=previous.pairs.select("target", "symbol", evidence.field(STATE), evidence.field(ROUTE)),
        )
    free = pl.col("pinned_by").is_null()  # a pin is no evidence to hold on to
    pooled = {STATE: pl.when(free).then("state"), ROUTE: pl.lit(None, pl.String)}
    own = {STATE: pl.when(free).then("local_state"), ROUTE: pl.when(free).then("route")}
    return Basis(
        plan_id=previous.plan_id,
        pooled=previous.pooled.select("target", **pooled),
        pairs=previous.pairs.select("target", "symbol", **own),
    )


def remembered(facts: Facts, before: Basis) -> Facts:
    """Add ``previous_state`` and ``previous_route`` to both tables; null where nothing is remembered."""
    if before.pairs.height == 0:
        nothing = {name: pl.lit(None, pl.String) for name in (STATE, ROUTE)}
        return replace(facts, pooled=facts.pooled.with_columns(**nothing), pairs=facts.pairs.with_columns(**nothing))
    return replace(
        facts,
        pooled=facts.pooled.join(before.pooled, on="target", how="left", maintain_order="left"),
        pairs=facts.pairs.join(before.pairs, on=["target", "symbol"], how="left", maintain_order="left"),
    )


def eased(checks: Sequence[Check], rules: HysteresisRules) -> list[Check]:
    """Lower the thresholds of the levels that the previous state had reached, by the margin of their kind."""
    return [_eased(check, rules) for check in checks]


def _eased(check: Check, rules: HysteresisRules) -> Check:
    margin = _margin(check.margin, rules)
    if margin == 0 or check.skipped:
        return check
    held = pl.col(STATE).is_in([state.value for state in _REACHED[check.level]]).fill_null(value=False)
    lowered = (check.threshold - margin).round(DECIMALS)
    reached = (check.value > lowered) if check.relation == ">" else (check.value >= lowered)

    def sentence() -> pl.Expr:
        opposite = "≤" if check.relation == ">" else "<"
        said = pl.concat_str(
            pl.lit(f"{check.label} "),
            check.value.cast(pl.String),
            pl.lit(f" {opposite} "),
            lowered.cast(pl.String),
            pl.lit(f" ({margin} below the threshold, as the previous plan had passed it)"),
        )
        return pl.when(held & check.value.is_not_null()).then(said).otherwise(check.failure)

    return replace(
        check,
        threshold=pl.when(held).then(lowered).otherwise(check.threshold),
        passes=check.passes | (held & reached.fill_null(value=False)),
        sentence=sentence,
    )


def _margin(name: str | None, rules: HysteresisRules) -> float:
    if name in _SCORES:
        return rules.score_margin
    return rules.probability_margin if name in _PROBABILITIES else 0.0


def local_better_above(config: RoutingConfig, provided: frozenset[str]) -> pl.Expr:
    """Return the threshold above which the local side is better; lower where it was the only one before."""
    threshold = setting("routing.evidence.local_better_above", config.evidence.local_better_above, provided)
    return moved_where(_was(RouteState.ROUTE_SYMBOL_SPECIFIC), threshold, config.hysteresis)


def cs_better_below(config: RoutingConfig, provided: frozenset[str]) -> pl.Expr:
    """Return the threshold below which the pooled side is better; higher where it was the only one before."""
    threshold = setting("routing.evidence.cs_better_below", config.evidence.cs_better_below, provided)
    return moved_where(_was(RouteState.ROUTE_CROSS_SECTIONAL), threshold, config.hysteresis, up=True)


def was_served() -> pl.Expr:
    """Whether the pool served a pair in the previous plan, in the lane as an experiment of the pool too."""
    by_pool = _was(RouteState.ROUTE_EXPERIMENTAL_ONLY) & (pl.col(STATE) != SignalState.EXPERIMENTAL)
    return _was(RouteState.ROUTE_CROSS_SECTIONAL, RouteState.ROUTE_BOTH) | by_pool.fill_null(value=False)


def moved_where(before: pl.Expr, threshold: pl.Expr, rules: HysteresisRules, *, up: bool = False) -> pl.Expr:
    """Return a threshold on a probability, moved by the margin where the previous route rested on it (``before``)."""
    if rules.probability_margin == 0:
        return threshold
    moved = threshold + (rules.probability_margin if up else -rules.probability_margin)
    return pl.when(before).then(moved.round(DECIMALS)).otherwise(threshold)


def _was(*routes: RouteState) -> pl.Expr:
    return pl.col(ROUTE).is_in([route.value for route in routes]).fill_null(value=False)


def held_sentence(checks: Sequence[Check], strict: Sequence[Check], state: pl.Expr, side: str) -> pl.Expr:
    """Say where a state rests on a margin; null where it does not.

    Parameters
    ----------
    checks, strict : sequence of Check
        The rules with and without their margins, in one order; the same ones where hysteresis is off.
    state : polars.Expr
        The state of the side.
    side : str
        ``pooled`` or ``local``.
    """
    needed = [
        pl.when((state == check.level.value) & check.passes & ~bare.passes).then(pl.lit(check.label))
        for check, bare in zip(checks, strict, strict=True)
        if check is not bare and check.margin in _SCORES | _PROBABILITIES
    ]
    what = pl.concat_str(needed or [pl.lit(None, pl.String)], separator=" and ", ignore_nulls=True)
    said = [pl.lit(f"{side} stays "), state, pl.lit(" by hysteresis: "), what, pl.lit(" within the margin")]
    return pl.when(what != "").then(pl.concat_str(said))
