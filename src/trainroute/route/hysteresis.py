"""Hysteresis: what passed a threshold in the previous plan passes until it falls below threshold − margin.

1. `remembered` puts the previous states and routes beside the facts; they are recorded in the decisions, so that a
   plan explains itself and its identity covers them.
2. `eased` lowers the thresholds of one side's levels where the previous state had reached that level.
3. `served_before`, `routed_before` tell the rules between the two sides what held before.

Gates (rows, windows, events, leakage) and stability know no margin: they are not noise around a threshold.
"""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from trainroute.config.routing import HysteresisRules
from trainroute.records.routing import RoutingPlan
from trainroute.records.vocabulary import RouteState, SignalState
from trainroute.route.checks import Check, Level
from trainroute.route.facts import Facts

STATE, ROUTE = "previous_state", "previous_route"
_REACHED = {
    Level.STRONG: (SignalState.STRONG,),
    Level.WEAK_BUT_OK: (SignalState.STRONG, SignalState.WEAK_BUT_OK),
    Level.EXPERIMENTAL: (SignalState.STRONG, SignalState.WEAK_BUT_OK, SignalState.EXPERIMENTAL),
}
_SCORES = frozenset({"strong_score", "min_score", "experimental_score", "strong_ci_low"})
_PROBABILITIES = frozenset({"strong_p_skill", "min_p_skill", "experimental_p_skill"})


def comes_after(previous: RoutingPlan | None, *, config_hash: str, metrics_snapshot: str) -> bool:
    """Whether a plan of these candidates and settings follows ``previous``, and does not merely make it again."""
    if previous is None:
        return False
    made_of = (previous.metadata.config_hash, previous.metadata.metrics_snapshot)
    return made_of != (config_hash, metrics_snapshot)


def remembered(facts: Facts, previous: RoutingPlan | None, *, follows: bool) -> Facts:
    """Add ``previous_state`` and ``previous_route`` to both tables; null where nothing is remembered.

    A plan that is made again from the same candidates and settings (not ``follows``) remembers what it remembered the
    first time, so that making it again changes nothing.
    """
    if previous is None:
        nothing = {STATE: pl.lit(None, pl.String), ROUTE: pl.lit(None, pl.String)}
        return replace(facts, pooled=facts.pooled.with_columns(**nothing), pairs=facts.pairs.with_columns(**nothing))
    if follows:
        pooled = previous.pooled.select("target", pl.col("state").alias(STATE), pl.lit(None, pl.String).alias(ROUTE))
        pairs = previous.pairs.select(
            "target", "symbol", pl.col("local_state").alias(STATE), pl.col("route").alias(ROUTE)
        )
    else:
        evidence = pl.col("evidence").struct
        pooled = previous.pooled.select("target", STATE, ROUTE)
        pairs = previous.pairs.select("target", "symbol", evidence.field(STATE), evidence.field(ROUTE))
    return replace(
        facts,
        pooled=facts.pooled.join(pooled, on="target", how="left", maintain_order="left"),
        pairs=facts.pairs.join(pairs, on=["target", "symbol"], how="left", maintain_order="left"),
    )


def eased(checks: Sequence[Check], rules: HysteresisRules) -> list[Check]:
    """Lower the thresholds of the levels that the previous state had reached, by the margin of their kind."""
    return [_eased(check, rules) for check in checks]


def _eased(check: Check, rules: HysteresisRules) -> Check:
    margin = _margin(check.margin, rules)
    if margin == 0 or check.skipped:
        return check
    held = pl.col(STATE).is_in([state.value for state in _REACHED[check.level]]).fill_null(value=False)
    lowered = (check.threshold - margin).round(6)
    reached = (check.value > lowered) if check.relation == ">" else (check.value >= lowered)
    opposite = "≤" if check.relation == ">" else "<"
    said = pl.concat_str(
        pl.lit(f"{check.label} "),
        check.value.cast(pl.String),
        pl.lit(f" {opposite} "),
        lowered.cast(pl.String),
        pl.lit(f" ({margin} below the threshold, as the previous plan had passed it)"),
    )
    return replace(
        check,
        threshold=pl.when(held).then(lowered).otherwise(check.threshold),
        passes=check.passes | (held & reached.fill_null(value=False)),
        failure=pl.when(held & check.value.is_not_null()).then(said).otherwise(check.failure),
    )


def _margin(name: str | None, rules: HysteresisRules) -> float:
    if name in _SCORES:
        return rules.score_margin
    return rules.probability_margin if name in _PROBABILITIES else 0.0


def lowered_where(held: Sequence[RouteState], threshold: float, rules: HysteresisRules, *, sign: int = -1) -> pl.Expr:
    """Return a probability threshold, moved by the margin in the direction ``sign`` where the previous route held."""
    if rules.probability_margin == 0:
        return pl.lit(threshold)
    moved = round(threshold + sign * rules.probability_margin, 6)
    before = pl.col(ROUTE).is_in([route.value for route in held]).fill_null(value=False)
    return pl.when(before).then(pl.lit(moved)).otherwise(pl.lit(threshold))


def held_sentence(checks: Sequence[Check], strict: Sequence[Check], state: pl.Expr, side: str) -> pl.Expr | None:
    """Say where a state rests on a margin; None where hysteresis is off.

    Parameters
    ----------
    checks, strict : sequence of Check
        The rules with and without their margins, in one order.
    state : polars.Expr
        The state of the side.
    side : str
        ``pooled`` or ``local``.
    """
    needed = [
        pl.when((state == check.level.value) & check.passes & ~bare.passes).then(pl.lit(check.label))
        for check, bare in zip(checks, strict, strict=True)
        if check is not bare
    ]
    if not needed:
        return None
    what = pl.concat_str(needed, separator=" and ", ignore_nulls=True)
    said = pl.concat_str(
        pl.lit(f"{side} stays "), state, pl.lit(" by hysteresis: "), what, pl.lit(" within the margin")
    )
    return pl.when(what != "").then(said)
