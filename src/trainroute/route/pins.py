"""Pins: what a person forces or forbids, after the rules and before the cap on the experimental lane.

1. `first_wishes`: which pins mean a pair; two that contradict each other on it are an error.
2. `pinned`: a forced route is given as asked or not at all; a forbidden one gives way to the nearest that the states
   allow, else to BLOCKED.
3. `lifted`: a pooled side that the rules disallow and a pin asks for becomes EXPERIMENTAL.

A pin overrules scores, sizes and stability, never proof of leakage (``block_on_leakage``), and it cannot make rows:
where a side that it asks for leaks, was not measured or has no labelled rows, the pair is BLOCKED and says so. A side
that the rules disallow becomes EXPERIMENTAL, so that still no job is planned for a side that is DISALLOWED.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

import polars as pl

from trainroute.config.pins import Pin
from trainroute.config.routing import RoutingConfig
from trainroute.errors import ConfigError
from trainroute.records.pins import pinned_pairs
from trainroute.records.vocabulary import LeakageStatus, RouteState, SignalState
from trainroute.route.checks import Cause
from trainroute.route.table import OK

_CS, _LOCAL = RouteState.ROUTE_CROSS_SECTIONAL.value, RouteState.ROUTE_SYMBOL_SPECIFIC.value
_BOTH, _LANE = RouteState.ROUTE_BOTH.value, RouteState.ROUTE_EXPERIMENTAL_ONLY.value
_BLOCKED = RouteState.ROUTE_BLOCKED.value
_ROUTES = (_CS, _LOCAL, _BOTH, _LANE, _BLOCKED)
_DISALLOWED, _EXPERIMENTAL = SignalState.DISALLOWED.value, SignalState.EXPERIMENTAL.value
_UNDECIDED = 0.5


def first_wishes(pins: Sequence[Pin], pairs: pl.DataFrame) -> pl.DataFrame:
    """Say which pin is the first to force, and the first to forbid, each route for each pair.

    Returns
    -------
    polars.DataFrame
        Rows as of ``pairs``; columns ``force <route>`` and ``forbid <route>`` of the routes that some pin is about: the
        number of the pin from 1, null where none means the pair.

    Raises
    ------
    ConfigError
        If two force different routes, or one forces what another forbids; it names both and a pair.
    """
    nobody = pl.Series([None], dtype=pl.Int64).new_from_index(0, pairs.height)
    first: dict[str, pl.Series] = {}
    meant = pairs.select(means.alias(str(number)) for number, means in enumerate(pinned_pairs(pins, pairs), start=1))
    for number, pin in reversed(list(enumerate(pins, start=1))):
        for wish in [f"forbid {route}" for route in pin.forbid] if pin.force is None else [f"force {pin.force}"]:
            first[wish] = first.get(wish, nobody.alias(wish)).set(meant[str(number)], number)
    wishes = pl.DataFrame([first[name] for name in sorted(first)])
    _require_consistent(pins, pairs, wishes)
    return wishes


def _require_consistent(pins: Sequence[Pin], pairs: pl.DataFrame, wishes: pl.DataFrame) -> None:
    forcing = [name for name in wishes.columns if name.startswith("force ")]
    opposed = [*combinations(forcing, 2), *((name, name.replace("force", "forbid", 1)) for name in forcing)]
    found = [
        pairs.select("target", "symbol")
        .with_columns(first=pl.min_horizontal(wishes[a], wishes[b]), second=pl.max_horizontal(wishes[a], wishes[b]))
        .filter(wishes[a].is_not_null() & wishes[b].is_not_null())
        for a, b in opposed
        if b in wishes.columns
    ]
    worst = pl.concat(found).sort("first", "second", maintain_order=True).head(1) if found else pl.DataFrame()
    if worst.height:
        target, symbol, first, second = worst.row(0)
        said = " and ".join(pins[number - 1].describe(number) for number in (first, second))
        raise ConfigError(
            f"routing.pins: {said} contradict each other, e.g. on {target} · {symbol}; keep one of the two"
        )


def pinned(pairs: pl.DataFrame, config: RoutingConfig) -> pl.DataFrame:
    """Apply the pins.

    Parameters
    ----------
    pairs : polars.DataFrame
        With ``target, symbol, route, cs_state, local_state, sample_size, leakage_status, target_leakage,
        target_rows, p_local_better``.
    config : RoutingConfig

    Returns
    -------
    polars.DataFrame
        With ``forced`` (route), ``pinned_by`` (the pin that decided), ``pin_why`` and ``blocked_by``; null where no pin
        has a say.
    """
    nothing = pl.lit(None, pl.String)
    if not config.pins:
        return pairs.with_columns(forced=nothing, pinned_by=nothing, pin_why=nothing, blocked_by=nothing)
    wishes = first_wishes(config.pins, pairs)
    names = {number: pin.describe(number) for number, pin in enumerate(config.pins, start=1)}
    forcing = [(route, pl.col(f"force {route}")) for route in _ROUTES if f"force {route}" in wishes.columns]
    forced = pl.coalesce(*(pl.when(by.is_not_null()).then(pl.lit(route)) for route, by in forcing), nothing)
    by = _named(pl.coalesce(*(by for _, by in forcing), pl.lit(None, pl.Int64)), names)
    wished = _forced(pairs.hstack(wishes).with_columns(forced=forced, pinned_by=by), config)
    return _forbidden(wished, {name for name in wishes.columns if name.startswith("forbid ")}, names).drop(
        wishes.columns
    )


def lifted(pooled: pl.DataFrame, pairs: pl.DataFrame, config: RoutingConfig) -> pl.DataFrame:
    """Let a pooled side train as EXPERIMENTAL that the rules disallow and a pin asks for.

    Adds ``state_by_rules`` and ``pinned_by``, the name of the pin, null where none lifts it.
    """
    if not config.pins:
        return pooled.with_columns(pinned_by=pl.lit(None, pl.String), state_by_rules="state")
    asked = (
        pairs.filter(pl.col("forced").is_in([_CS, _BOTH]) & (pl.col("route") == pl.col("forced")))
        .group_by("target")
        .agg(pl.col("pinned_by").sort_by("symbol").first())
    )
    pooled = pooled.join(asked, on="target", how="left", maintain_order="left").with_columns(
        pinned_by=pl.when(pl.col("state") == _DISALLOWED).then("pinned_by"), state_by_rules="state"
    )
    up = pl.col("pinned_by").is_not_null()
    return pooled.with_columns(state=pl.when(up).then(pl.lit(_EXPERIMENTAL)).otherwise("state"))


def overruled_pins(pairs: pl.DataFrame) -> list[tuple[str, str, int]]:
    """Return the pins that stronger reasons overrule: the name of the pin, the reason, and how many pairs it blocks.

    Parameters
    ----------
    pairs : polars.DataFrame
        The pairs of a routing plan.
    """
    blocked = (pl.col("route") == _BLOCKED) & pl.col("pinned_by").is_not_null()
    found = pairs.filter(blocked, pl.col("blocked_by") != Cause.PINNED).group_by("pinned_by", "blocked_by").len()
    return [(pin, cause, int(count)) for pin, cause, count in found.sort("pinned_by", "blocked_by").iter_rows()]


def lift_sentence() -> pl.Expr:
    """Say which pin lifted a pooled side; null where none did."""
    said = [pl.lit("pooled EXPERIMENTAL by "), pl.col("pinned_by"), pl.lit(", DISALLOWED by the rules")]
    return pl.when(pl.col("pinned_by").is_not_null()).then(pl.concat_str(said))


def _named(number: pl.Expr, names: Mapping[int, str]) -> pl.Expr:
    return number.replace_strict(names, default=None, return_dtype=pl.String)


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
            blocked_by=pl.when(force.is_not_null()).then(cause),
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


def _forbidden(pairs: pl.DataFrame, wishes: Collection[str], names: Mapping[int, str]) -> pl.DataFrame:
    if not wishes:
        return pairs
    nobody = pl.lit(None, pl.Int64)
    forbidding = {route: pl.col(f"forbid {route}") if f"forbid {route}" in wishes else nobody for route in _ROUTES}
    forbidden = {route: by.is_not_null() for route, by in forbidding.items()}
    route = pl.col("route")
    number = pl.coalesce(pl.when(route == name).then(by) for name, by in forbidding.items())
    hit, by = number.is_not_null(), _named(number, names)
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
