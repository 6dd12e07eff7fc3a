"""What two routing plans decide differently, and why.

1. Pairs of both plans are put side by side and decided again, by the rules that made the plans, with the evidence, the
   settings or the memory of hysteresis of the other plan (`trainroute.route.factors`). What gives the new route is the
   cause.
2. `state_crossings`, `between_crossings` name the rules that answer otherwise: the metric, the config key, or both.
3. What no single rule shows (switches, the places of the experimental lane) is named by trying each changed key alone;
   a pin says itself which pairs it decided.

Where a key of ``routing.stability_classification`` changed, another stability counts as its effect, since plans record
stability as it was classified.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

import polars as pl
from pydantic import ValidationError

from trainroute.config.changes import PINS, changed_settings
from trainroute.config.keys import put
from trainroute.config.routing import RoutingConfig
from trainroute.records.routing import RoutingPlan
from trainroute.route.crossings import Rows, between_crossings, good, state_crossings
from trainroute.route.decide import routed
from trainroute.route.factors import CLASSIFIES, Factor, Factors, Mixture, any_blamed, words
from trainroute.route.facts import Facts
from trainroute.route.route_changes import RouteChanges

_KEYS_TRIED = 12
_PAIR = ["target", "symbol"]
_PIN = r"(?s)^pin \d+ \((.*)\)$"
"""How `Pin.describe` names one; what it means stands in brackets."""


def compare_routes(before: RoutingPlan, after: RoutingPlan, *, data_changed: bool = False) -> RouteChanges:
    """Compare the decisions of two plans, pair by pair.

    Parameters
    ----------
    before, after : RoutingPlan
    data_changed : bool
        The data are known to differ, so that changed evidence comes from them. More or fewer rows say so as well.

    Returns
    -------
    RouteChanges
        Counts first; `RouteChanges.changes` gives single pairs with their causes.
    """
    settings = _settings(before, after)
    changed, added, removed = _side_by_side(before, after)
    if changed.height == 0:
        return RouteChanges(before=before, after=after, settings=settings, pairs=changed, added=added, removed=removed)
    factors = Factors(before, after, settings)
    changed = _with_rows(changed, factors, data_changed=data_changed).with_row_index("row")
    crossings = _of_changed_keys(_crossings(changed, factors), settings)
    changed = changed.hstack(_blamed(changed, crossings, factors))
    if before.metadata.code_version != after.metadata.code_version:
        changed = _of_other_code(changed, factors)
    evidence = pl.when("data").then(pl.lit("data")).otherwise(pl.lit("metric"))
    changed = changed.with_columns(kind=pl.when(any_blamed()).then(words(evidence)).otherwise(pl.lit("code")))
    by_key = _unexplained(changed, crossings, factors, settings)
    changed = changed.join(by_key, on="row", how="left", maintain_order="left")
    return RouteChanges(
        before=before,
        after=after,
        settings=settings,
        pairs=changed,
        added=added,
        removed=removed,
        crossings=crossings,
    )


def _settings(before: RoutingPlan, after: RoutingPlan) -> dict[str, tuple[Any, Any]]:
    routing = changed_settings(before.routing.model_dump(mode="json"), after.routing.model_dump(mode="json"), "routing")
    planning = changed_settings(
        before.planning.model_dump(mode="json"), after.planning.model_dump(mode="json"), "planning"
    )
    return routing | planning


def _side_by_side(before: RoutingPlan, after: RoutingPlan) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the common pairs of which a route or state changed, and the pairs that only one plan has."""
    decided = ("route", "cs_state", "local_state", "blocked_by", "pinned_by")
    old = before.pairs.select(*_PAIR, *(pl.col(name).alias(f"{name}_before") for name in decided))
    new = after.pairs.select(*_PAIR, *(pl.col(name).alias(f"{name}_after") for name in decided))
    both = old.join(new, on=_PAIR, how="inner", maintain_order="left")
    differs = reduce(or_, (pl.col(f"{name}_before") != pl.col(f"{name}_after") for name in decided[:3]))
    added, removed = new.join(old, on=_PAIR, how="anti"), old.join(new, on=_PAIR, how="anti")
    return (
        both.filter(differs),
        added.select(*_PAIR, route="route_after").sort(_PAIR),
        removed.select(*_PAIR, route="route_before").sort(_PAIR),
    )


def _with_rows(changed: pl.DataFrame, factors: Factors, *, data_changed: bool) -> pl.DataFrame:
    """Add how many rows a pair had and has, and whether its rows or those of its pool changed."""
    for facts, when in ((factors.before[0], "before"), (factors.after[0], "after")):
        own = facts.pairs.select(*_PAIR, pl.col("sample_size").alias(f"rows_{when}"))
        pool = facts.pooled.select("target", pl.col("sample_size").alias(f"pool_rows_{when}"))
        changed = changed.join(own, on=_PAIR, how="left", maintain_order="left")
        changed = changed.join(pool, on="target", how="left", maintain_order="left")
    differs = reduce(
        or_, (pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in ("rows", "pool_rows"))
    )
    return changed.with_columns(data=differs | pl.lit(data_changed)).drop("pool_rows_before", "pool_rows_after")


def _routes(changed: pl.DataFrame, facts: Facts, config: RoutingConfig) -> pl.Series:
    """Decide again, and return the routes of the pairs that changed, in their order."""
    decided = routed(facts, config)[1].select(*_PAIR, "route")
    return changed.select(_PAIR).join(decided, on=_PAIR, how="left", maintain_order="left")["route"]


def _blamed(changed: pl.DataFrame, crossings: pl.DataFrame, factors: Factors) -> pl.DataFrame:
    """Say which factors gave each pair its new route or, with the same route, moved the rules of its states."""

    def answer(mixture: Mixture) -> pl.Series:
        if mixture == factors.all:
            return changed["route_after"]
        return _routes(changed, factors.facts(mixture), factors.config(mixture))

    moved = changed["route_before"] != changed["route_after"]
    by_rule = crossings.group_by("row").agg(pl.col(f"by_{factor}").any() for factor in Factor)
    by_rule = changed.select("row").join(by_rule, on="row", how="left", maintain_order="left")
    unknown = ~any_blamed().fill_null(value=False)
    by_rule = by_rule.select(
        pl.when(unknown).then(pl.lit(factor in factors.differ)).otherwise(f"by_{factor}").alias(f"by_{factor}")
        for factor in Factor
    )
    by_route = factors.blamed(answer)
    return pl.DataFrame([by_route[name].zip_with(moved, by_rule[name]) for name in by_route.columns])


def _of_other_code(changed: pl.DataFrame, factors: Factors) -> pl.DataFrame:
    """Blame nothing but the code where this version decides one of the plans otherwise than that plan did."""
    old, new = (_routes(changed, f, c) for f, c in (factors.before, factors.after))
    reproduced = (old == changed["route_before"]) & (new == changed["route_after"])
    return changed.with_columns((pl.col(f"by_{factor}") & reproduced).alias(f"by_{factor}") for factor in Factor)


def _of_changed_keys(crossings: pl.DataFrame, settings: Mapping[str, tuple[Any, Any]]) -> pl.DataFrame:
    """Leave out what no changed key of the rule itself moved: another setting did, and is named by trying it alone."""
    changed = pl.any_horizontal(
        pl.lit(value=False),
        *(pl.concat_str(pl.lit(key), pl.lit(".")).str.starts_with(pl.col("key") + ".") for key in settings),
    ).fill_null(value=False)
    return crossings.with_columns(by_config=pl.col("by_config") & changed).filter(any_blamed())


def _crossings(changed: pl.DataFrame, factors: Factors) -> pl.DataFrame:
    """Return the crossed rules of every changed pair, of the sides whose state changed; ``row`` is that of the pair."""
    keys = changed.select(_PAIR)
    coarse = changed["route_before"] != changed["route_after"]
    pairs = Rows(factors, lambda facts: keys.join(facts.pairs, on=_PAIR, how="left", maintain_order="left"))
    pools = Rows(factors, lambda facts: keys.join(facts.pooled, on="target", how="left", maintain_order="left"))
    served = changed["cs_state_before"] != changed["cs_state_after"]
    pooled = state_crossings("pooled", pools, coarse=coarse)
    moved = changed.select(row=pl.int_range(pl.len(), dtype=pl.UInt32)).filter(served)
    return pl.concat(
        [
            state_crossings("local", pairs, coarse=coarse),
            pooled.join(moved, on="row", how="semi"),
            between_crossings(pairs, served=served, both_good=_all_good(changed)),
        ]
    )


def _all_good(changed: pl.DataFrame) -> pl.Series:
    states = [good(changed[f"{side}_state_{when}"]) for side in ("cs", "local") for when in ("before", "after")]
    return reduce(lambda a, b: a & b, states)


def _unexplained(
    changed: pl.DataFrame, crossings: pl.DataFrame, factors: Factors, settings: Mapping[str, tuple[Any, Any]]
) -> pl.DataFrame:
    """Name the ``keys`` by which pairs changed of which no rule that the settings moved says why.

    A pin that changed says itself which pairs it decides or decided. Else those keys are named that give the new route
    when each is changed alone: in the plan before or, where other factors are needed too, in the one after.
    """
    by_rule = crossings.filter("by_config").select("row").unique()
    open_ones = changed.filter("by_config").join(by_rule, on="row", how="anti")
    by_pin = open_ones.select("row", keys=_pins(settings)).filter(pl.col("keys").list.len() > 0)
    open_ones = open_ones.join(by_pin, on="row", how="anti")
    lone = ~any_blamed(*(factor for factor in Factor if factor is not Factor.CONFIG))
    others = factors.all - {Factor.CONFIG}
    parts: list[tuple[pl.DataFrame, Mixture]] = [
        (open_ones.filter(lone), frozenset()),
        (open_ones.filter(~lone), others),
    ]
    return pl.concat([by_pin, *(_keys_alone(rows, factors, mixture, settings) for rows, mixture in parts)])


def _pins(settings: Mapping[str, tuple[Any, Any]]) -> pl.Expr:
    """List the pins that changed and that decide a pair in one of the plans."""
    keys = [
        pl.concat_str(pl.lit(f"{PINS}["), pl.col(f"pinned_by_{when}").str.extract(_PIN), pl.lit("]"))
        for when in ("before", "after")
    ]
    known = pl.element().is_in([key for key in settings if key.startswith(f"{PINS}[")])
    return pl.concat_list(keys).list.unique(maintain_order=True).list.eval(pl.element().filter(known))


def _keys_alone(
    rows: pl.DataFrame, factors: Factors, mixture: Mixture, settings: Mapping[str, tuple[Any, Any]]
) -> pl.DataFrame:
    """List the keys that alone give each pair its new route; else those that give another one; else all that changed.

    All pins are one key here.
    """
    keys = list(dict.fromkeys(PINS if key.startswith(f"{PINS}[") else key for key in settings))
    keys = [key for key in keys if key.startswith("routing.")]
    tried: dict[str, pl.Expr] = {}
    for key in keys[:_KEYS_TRIED] if rows.height else []:
        config = _with_key(factors, mixture, key)
        if config is not None:
            facts = factors.facts(mixture | {Factor.CONFIG} if key.startswith(CLASSIFIES) else mixture)
            rows = rows.with_columns(_routes(rows, facts, config).alias(key))
            tried[key] = pl.col(key)
    return rows.select("row", keys=_named(tried, keys))


def _with_key(factors: Factors, mixture: Mixture, key: str) -> RoutingConfig | None:
    """Return the settings of a mixture with one key as the plan after has it; None where nobody can set it alone."""
    document, other = (config.model_dump(mode="json") for config in (factors.config(mixture), factors.after[1]))
    below = key.removeprefix("routing.")
    put(document, below, reduce(lambda at, name: at[name], below.split("."), other))
    try:
        return RoutingConfig.model_validate(document)
    except ValidationError:  # out of order with its neighbours
        return None


def _named(tried: Mapping[str, pl.Expr], keys: list[str]) -> pl.Expr:
    """List the keys that give the new route alone; else those that give another one; else all that changed."""
    every = pl.concat_list([pl.lit(key) for key in keys] or [pl.lit(None, pl.String)])
    if not tried:
        return every
    new, old = pl.col("route_after"), pl.col("route_before")
    lists = [
        pl.concat_list([pl.when(found).then(pl.lit(key)) for key, found in answers.items()]).list.drop_nulls()
        for answers in (
            {key: route == new for key, route in tried.items()},
            {key: route != old for key, route in tried.items()},
        )
    ]
    return pl.when(lists[0].list.len() > 0).then(lists[0]).when(lists[1].list.len() > 0).then(lists[1]).otherwise(every)
