"""Pins: what a person forces or forbids, after the rules and before the cap on the experimental lane.

1. `require_consistent`: two pins that contradict each other on a pair are an error.
2. `pinned`: a forced route is given as asked or not at all; a forbidden one gives way to the nearest that the states
   allow, else to BLOCKED.
3. `lifted`: a pooled side that the rules disallow and a pin asks for becomes EXPERIMENTAL.

A pin overrules scores, sizes and stability, never proof of leakage (``block_on_leakage``), and it cannot make rows:
where a side that it asks for leaks, was not measured or has no labelled rows, the pair is BLOCKED and says so. A side
that the rules disallow becomes EXPERIMENTAL, so that still no job is planned for a side that is DISALLOWED.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from operator import or_

import polars as pl

from trainroute.config.pins import Pin
from trainroute.config.schema import RoutingConfig
from trainroute.errors import ConfigError
from trainroute.records.pins import pinned_pairs
from trainroute.records.vocabulary import LeakageStatus, RouteState, SignalState
from trainroute.route.checks import Cause
from trainroute.route.table import OK

_CS, _LOCAL = RouteState.ROUTE_CROSS_SECTIONAL.value, RouteState.ROUTE_SYMBOL_SPECIFIC.value
_BOTH, _LANE = RouteState.ROUTE_BOTH.value, RouteState.ROUTE_EXPERIMENTAL_ONLY.value
_BLOCKED = RouteState.ROUTE_BLOCKED.value
_DISALLOWED, _EXPERIMENTAL = SignalState.DISALLOWED.value, SignalState.EXPERIMENTAL.value
_UNDECIDED = 0.5


def require_consistent(pins: Sequence[Pin], pairs: pl.DataFrame) -> None:
    """Refuse pins that contradict each other on a pair.

    Raises
    ------
    ConfigError
        If two force different routes, or one forces what another forbids; it names both and a pair.
    """
    meant = pinned_pairs(pins, pairs)
    for a, b in combinations(range(len(pins)), 2):
        if not _contradict(pins[a], pins[b]):
            continue
        common = pairs.filter(meant[a] & meant[b]).select("target", "symbol").head(1)
        if common.height:
            target, symbol = common.row(0)
            raise ConfigError(
                f"routing.pins: {pins[a].describe(a + 1)} and {pins[b].describe(b + 1)} contradict each other, "
                f"e.g. on {target} · {symbol}; keep one of the two"
            )


def pinned(pairs: pl.DataFrame, config: RoutingConfig) -> pl.DataFrame:
    """Apply the pins; add ``forced`` (route), ``pinned_by`` (the pin that decided) and ``pin_why``; else null.

    Parameters
    ----------
    pairs : polars.DataFrame
        With ``target, symbol, route, blocked_by, cs_state, local_state, sample_size, leakage_status,
        target_leakage, target_rows, p_local_better``.
    config : RoutingConfig
    """
    nothing = pl.lit(None, pl.String)
    if not config.pins:
        return pairs.with_columns(forced=nothing, pinned_by=nothing, pin_why=nothing)
    require_consistent(config.pins, pairs)
    meant = pinned_pairs(config.pins, pairs)
    wishes = [(pin, means, number) for number, (pin, means) in enumerate(zip(config.pins, meant, strict=True), start=1)]
    forced = pl.coalesce(*(pl.when(m).then(pl.lit(pin.force, pl.String)) for pin, m, _ in wishes))
    by = pl.coalesce(*(pl.when(m).then(pl.lit(pin.describe(n))) for pin, m, n in wishes if pin.force), nothing)
    return _forbidden(_forced(pairs.with_columns(forced=forced, pinned_by=by), config), wishes)


def lifted(pooled: pl.DataFrame, pairs: pl.DataFrame, config: RoutingConfig) -> pl.DataFrame:
    """Let a pooled side train as EXPERIMENTAL that the rules disallow and a pin asks for.

    Adds ``state_by_rules`` and ``lifted_by``, the name of the pin, null where none lifts it.
    """
    if not config.pins:
        return pooled.with_columns(lifted_by=pl.lit(None, pl.String), state_by_rules="state")
    asked = (
        pairs.filter(pl.col("forced").is_in([_CS, _BOTH]) & (pl.col("route") == pl.col("forced")))
        .group_by("target")
        .agg(pl.col("pinned_by").sort_by("symbol").first().alias("lifted_by"))
    )
    pooled = pooled.join(asked, on="target", how="left", maintain_order="left").with_columns(
        lifted_by=pl.when(pl.col("state") == _DISALLOWED).then("lifted_by"), state_by_rules="state"
    )
    up = pl.col("lifted_by").is_not_null()
    return pooled.with_columns(state=pl.when(up).then(pl.lit(_EXPERIMENTAL)).otherwise("state"))


def lift_sentence() -> pl.Expr:
    """Say which pin lifted a pooled side; null where none did."""
    said = [pl.lit("pooled EXPERIMENTAL by "), pl.col("lifted_by"), pl.lit(", DISALLOWED by the rules")]
    return pl.when(pl.col("lifted_by").is_not_null()).then(pl.concat_str(said))


def _contradict(a: Pin, b: Pin) -> bool:
    if a.force is not None and b.force is not None:
        return a.force != b.force
    return a.force in b.forbid or b.force in a.forbid


def _forced(pairs: pl.DataFrame, config: RoutingConfig) -> pl.DataFrame:
    force = pl.col("forced")
    local, pool = force.is_in([_LOCAL, _BOTH, _LANE]), force.is_in([_CS, _BOTH])
    obstacle = _obstacle(local, pool, config)
    given = force.is_not_null() & obstacle.is_null()
    up_local = given & local & ((pl.col("local_state") == _DISALLOWED) | (force == _LANE))
    up_pool = given & pool & (pl.col("cs_state") == _DISALLOWED)
    asks = pl.concat_str(
        "pinned_by", pl.lit(" asks for "), force.str.strip_prefix("ROUTE_"), pl.lit(", but "), obstacle
    )
    why = pl.concat_str(pl.lit("forced by "), "pinned_by", _lift_text(up_pool, "pooled"), _lift_text(up_local, "local"))
    cause = pl.when(force == _BLOCKED).then(pl.lit(Cause.PINNED.value)).when(obstacle.is_not_null()).then("obstacle")
    return (
        pairs.with_columns(obstacle=_obstacle_cause(local, pool, config))
        .with_columns(
            local_state=pl.when(up_local).then(pl.lit(_EXPERIMENTAL)).otherwise("local_state"),
            cs_state=pl.when(up_pool).then(pl.lit(_EXPERIMENTAL)).otherwise("cs_state"),
            route=pl.when(given).then(force).when(force.is_not_null()).then(pl.lit(_BLOCKED)).otherwise("route"),
            pin_why=pl.when(given).then(why).when(force.is_not_null()).then(asks),
            blocked_by=pl.when(force.is_not_null()).then(cause).otherwise("blocked_by"),
        )
        .drop("obstacle")
    )


def _obstacles(local: pl.Expr, pool: pl.Expr, config: RoutingConfig) -> list[tuple[pl.Expr, str, Cause]]:
    """Return what no pin overrules: when it stands in the way, its words, and its cause."""
    blocked = LeakageStatus.BLOCKED
    leaks = [
        ((pl.col("leakage_status") == blocked), "leakage is BLOCKED", Cause.LEAKAGE),
        ((pl.col("target_leakage") == blocked), "leakage of the target is BLOCKED", Cause.TARGET_LEAKAGE),
    ]
    rows = [
        (local & ~_some("sample_size"), "the symbol has no labelled rows", Cause.TOO_FEW_ROWS),
        (pool & ~_some("target_rows"), "the pooled side was not measured or has no rows", Cause.NOT_MEASURED),
    ]
    trains = [((local | pool) & when, said, cause) for when, said, cause in leaks if config.block_on_leakage]
    return trains + rows


def _obstacle(local: pl.Expr, pool: pl.Expr, config: RoutingConfig) -> pl.Expr:
    return pl.coalesce(pl.when(when).then(pl.lit(said)) for when, said, _ in _obstacles(local, pool, config))


def _obstacle_cause(local: pl.Expr, pool: pl.Expr, config: RoutingConfig) -> pl.Expr:
    return pl.coalesce(pl.when(when).then(pl.lit(cause.value)) for when, _, cause in _obstacles(local, pool, config))


def _some(column: str) -> pl.Expr:
    return (pl.col(column) > 0).fill_null(value=False)


def _lift_text(lifted_side: pl.Expr, side: str) -> pl.Expr:
    return pl.when(lifted_side).then(pl.lit(f"; {side} EXPERIMENTAL by it")).otherwise(pl.lit(""))


def _forbidden(pairs: pl.DataFrame, wishes: Sequence[tuple[Pin, pl.Expr, int]]) -> pl.DataFrame:
    forbidding = [(pin, means, number) for pin, means, number in wishes if pin.forbid]
    if not forbidding:
        return pairs
    forbidden = {
        route: reduce(or_, [means for pin, means, _ in forbidding if route in pin.forbid], pl.lit(value=False))
        for route in (_CS, _LOCAL, _BOTH, _LANE)
    }
    route = pl.col("route")
    hit = pl.any_horizontal((route == name) & no for name, no in forbidden.items())
    by = pl.coalesce(
        pl.when(means & route.is_in(list(pin.forbid))).then(pl.lit(pin.describe(number)))
        for pin, means, number in forbidding
    )
    free = pl.col("cs_state").is_in(OK) & pl.col("local_state").is_in(OK)
    local_first = (pl.col("p_local_better") >= _UNDECIDED).fill_null(value=False)
    instead = (
        pl.when(~free)
        .then(None)
        .when(route != _BOTH)
        .then(_first([_BOTH, _CS, _LOCAL], forbidden))
        .when(local_first)
        .then(_first([_LOCAL, _CS], forbidden))
        .otherwise(_first([_CS, _LOCAL], forbidden))
    )
    said = pl.concat_str(route.str.strip_prefix("ROUTE_"), pl.lit(" forbidden by "), by)
    return pairs.with_columns(
        route=pl.when(hit).then(instead.fill_null(_BLOCKED)).otherwise(route),
        pin_why=pl.when(hit).then(said).otherwise("pin_why"),
        pinned_by=pl.when(hit).then(by).otherwise("pinned_by"),
        blocked_by=pl.when(hit & instead.is_null()).then(pl.lit(Cause.PINNED.value)).otherwise("blocked_by"),
    )


def _first(order: Sequence[str], forbidden: dict[str, pl.Expr]) -> pl.Expr:
    """Return the first route of an order that is not forbidden."""
    return pl.coalesce(pl.when(~forbidden[name]).then(pl.lit(name)) for name in order)
