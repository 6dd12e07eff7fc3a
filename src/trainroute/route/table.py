"""The route table: the states of the two sides to one route.

Four rules cover its sixteen cells; "ok" is STRONG or WEAK_BUT_OK.

1. Both sides ok: ``both_strong_behavior`` decides.
2. One side ok: that side, CROSS_SECTIONAL or SYMBOL_SPECIFIC.
3. None ok, one EXPERIMENTAL: EXPERIMENTAL_ONLY.
4. Else BLOCKED.
"""

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.vocabulary import RouteState, SignalState
from trainroute.route.hysteresis import cs_better_below, local_better_above

OK = (SignalState.STRONG.value, SignalState.WEAK_BUT_OK.value)
_ALWAYS = {
    "ROUTE_BOTH": RouteState.ROUTE_BOTH,
    "PREFER_CS": RouteState.ROUTE_CROSS_SECTIONAL,
    "PREFER_SYMBOL": RouteState.ROUTE_SYMBOL_SPECIFIC,
}


def route_of(cs_state: pl.Expr, local_state: pl.Expr, config: RoutingConfig, provided: frozenset[str]) -> pl.Expr:
    """Return the route of each row, before the experimental cap.

    Parameters
    ----------
    cs_state, local_state : polars.Expr
    config : RoutingConfig
    provided : frozenset of str
        The columns that are known.
    """
    cs_ok, local_ok = cs_state.is_in(OK), local_state.is_in(OK)
    lane = (cs_state == SignalState.EXPERIMENTAL) | (local_state == SignalState.EXPERIMENTAL)
    return (
        pl.when(cs_ok & local_ok)
        .then(_both(config, provided))
        .when(cs_ok)
        .then(_lit(RouteState.ROUTE_CROSS_SECTIONAL))
        .when(local_ok)
        .then(_lit(RouteState.ROUTE_SYMBOL_SPECIFIC))
        .when(lane)
        .then(_lit(RouteState.ROUTE_EXPERIMENTAL_ONLY))
        .otherwise(_lit(RouteState.ROUTE_BLOCKED))
    )


def why_of(cs_state: pl.Expr, local_state: pl.Expr, config: RoutingConfig, provided: frozenset[str]) -> pl.Expr:
    """Return the sentence that says how the two states became the route."""
    cs_ok, local_ok = cs_state.is_in(OK), local_state.is_in(OK)
    return (
        pl.when(cs_ok & local_ok)
        .then(_why_both(config, provided))
        .when(cs_ok)
        .then(pl.lit("only the pooled side is good enough"))
        .when(local_ok)
        .then(pl.lit("only the local side is good enough"))
        .when(local_state == SignalState.EXPERIMENTAL)
        .then(pl.lit("experimental lane: a local model"))
        .when(cs_state == SignalState.EXPERIMENTAL)
        .then(pl.lit("experimental lane: the pooled model"))
        .otherwise(pl.lit("no side may train"))
    )


def _both(config: RoutingConfig, provided: frozenset[str]) -> pl.Expr:
    key = "routing.both_strong_behavior"
    if key in provided:
        routes = {behavior: route.value for behavior, route in _ALWAYS.items()}
        always = pl.col(key).replace_strict(routes, default=None, return_dtype=pl.String)
        return always.fill_null(_better_side(config, provided))
    always_now = _ALWAYS.get(config.both_strong_behavior)
    return _better_side(config, provided) if always_now is None else _lit(always_now)


def _better_side(config: RoutingConfig, provided: frozenset[str]) -> pl.Expr:
    if "p_local_better" not in provided:
        return _lit(RouteState.ROUTE_BOTH)
    p = pl.col("p_local_better")
    return (
        pl.when(p > local_better_above(config, provided))
        .then(_lit(RouteState.ROUTE_SYMBOL_SPECIFIC))
        .when(p < cs_better_below(config, provided))
        .then(_lit(RouteState.ROUTE_CROSS_SECTIONAL))
        .otherwise(_lit(RouteState.ROUTE_BOTH))
    )


def _why_both(config: RoutingConfig, provided: frozenset[str]) -> pl.Expr:
    behavior = config.both_strong_behavior
    if behavior in _ALWAYS:
        return pl.lit(f"both sides are good enough; both_strong_behavior is {behavior}")
    if "p_local_better" not in provided:
        return pl.lit("both sides are good enough; p_local_better not provided")
    p, above, below = pl.col("p_local_better"), local_better_above(config, provided), cs_better_below(config, provided)
    shown = pl.concat_str(pl.lit("both sides are good enough; p_local_better "), p.cast(pl.String))
    return (
        pl.when(p.is_null())
        .then(pl.lit("both sides are good enough; no p_local_better"))
        .when(p > above)
        .then(pl.concat_str(shown, pl.lit(" > "), above.cast(pl.String)))
        .when(p < below)
        .then(pl.concat_str(shown, pl.lit(" < "), below.cast(pl.String)))
        .otherwise(
            pl.concat_str(
                shown, pl.lit(" is undecided, from "), below.cast(pl.String), pl.lit(" to "), above.cast(pl.String)
            )
        )
    )


def _lit(route: RouteState) -> pl.Expr:
    return pl.lit(route.value)
