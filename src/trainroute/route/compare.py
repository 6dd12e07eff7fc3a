"""What two routing plans decide differently, and why.

1. Pairs of both plans are put side by side; `_redecided` decides the old evidence under the new settings and the new
   evidence under the old ones, with the rules that made the plans. Which of the two gives the new route is the cause.
2. `state_crossings`, `between_crossings` name the rules that answer otherwise: the metric, the config key, or both.
3. What no single rule shows (pins, switches, the places of the experimental lane) is named by trying each changed key
   alone.

Where a key of ``routing.stability_classification`` changed, another stability counts as its effect, since plans record
stability as it was classified.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

import polars as pl
from pydantic import ValidationError

from trainroute.config.changes import changed_settings
from trainroute.config.keys import put
from trainroute.config.routing import RoutingConfig
from trainroute.records.routing import RoutingPlan
from trainroute.route.crossings import Evidence, Four, between_crossings, good, state_crossings
from trainroute.route.decide import routed
from trainroute.route.facts import Facts
from trainroute.route.recorded import facts_of_plan
from trainroute.route.route_changes import RouteChanges

_KEYS_TRIED = 12
_CLASSIFIES = "routing.stability_classification."
_PAIR = ["target", "symbol"]


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
    old, new = facts_of_plan(before), facts_of_plan(after)
    classified = any(key.startswith(_CLASSIFIES) for key in settings)
    old_new = _classified(old, new) if classified else old
    new_old = _classified(new, old) if classified else new
    x, y = _routes(old_new, after.routing), _routes(new_old, before.routing)
    changed = changed.join(x, on=_PAIR, how="left", maintain_order="left").rename({"route": "by_config"})
    changed = changed.join(y, on=_PAIR, how="left", maintain_order="left").rename({"route": "by_metric"})
    changed = _with_rows(changed, old, new, data_changed=data_changed)
    four = (
        (old, before.routing),
        (old_new, after.routing),
        (new_old, before.routing),
        (new, after.routing),
    )
    same_input = before.metadata.metrics_snapshot == after.metadata.metrics_snapshot and not settings
    crossings = _of_changed_keys(_crossings(changed, four), settings)
    changed = changed.with_row_index("row").join(_by_rules(crossings), on="row", how="left", maintain_order="left")
    changed = changed.with_columns(kind=_kind(same_input=same_input))
    alone = _unexplained(changed, crossings, (old, old_new), before.routing, settings)
    changed = changed.join(alone, on="row", how="left", maintain_order="left")
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
    decided = ("route", "cs_state", "local_state", "blocked_by")
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


def _routes(facts: Facts, config: RoutingConfig) -> pl.DataFrame:
    return routed(facts, config)[1].select(*_PAIR, "route")


def _classified(facts: Facts, other: Facts) -> Facts:
    """Return facts with the stability that the other plan records, where it has the target or pair."""
    frames = []
    for own, theirs, on in ((facts.pooled, other.pooled, ["target"]), (facts.pairs, other.pairs, _PAIR)):
        found = theirs.select(*on, classified="stability")
        joined = own.join(found, on=on, how="left", maintain_order="left")
        frames.append(joined.with_columns(stability=pl.coalesce("classified", "stability")).drop("classified"))
    return Facts(pooled=frames[0], pairs=frames[1], provided=facts.provided)


def _with_rows(changed: pl.DataFrame, old: Facts, new: Facts, *, data_changed: bool) -> pl.DataFrame:
    """Add how many rows a pair had and has, and whether its rows or those of its pool changed."""
    for facts, when in ((old, "before"), (new, "after")):
        own = facts.pairs.select(*_PAIR, pl.col("sample_size").alias(f"rows_{when}"))
        pool = facts.pooled.select("target", pl.col("sample_size").alias(f"pool_rows_{when}"))
        changed = changed.join(own, on=_PAIR, how="left", maintain_order="left")
        changed = changed.join(pool, on="target", how="left", maintain_order="left")
    differs = reduce(
        or_, (pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in ("rows", "pool_rows"))
    )
    return changed.with_columns(data=differs | pl.lit(data_changed)).drop("pool_rows_before", "pool_rows_after")


def _kind(*, same_input: bool) -> pl.Expr:
    """Say what gives the new route (or state) alone: settings or evidence, which is called data if rows changed."""
    if same_input:
        return pl.lit("code")
    new, moved = pl.col("route_after"), pl.col("route_before") != pl.col("route_after")
    config = pl.when(moved).then(pl.col("by_config") == new).otherwise("rule_by_config").fill_null(value=False)
    metric = pl.when(moved).then(pl.col("by_metric") == new).otherwise("rule_by_metric").fill_null(value=False)
    evidence = pl.when("data").then(pl.lit("data")).otherwise(pl.lit("metric"))
    return (
        pl.when(config & ~metric)
        .then(pl.lit("config"))
        .when(metric & ~config)
        .then(evidence)
        .otherwise(pl.concat_str(evidence, pl.lit(" and config")))
    )


def _of_changed_keys(crossings: pl.DataFrame, settings: Mapping[str, tuple[Any, Any]]) -> pl.DataFrame:
    """Leave out what no changed key of the rule itself moved: another setting did, and is named by trying it alone."""
    changed = pl.any_horizontal(
        pl.lit(value=False),
        *(pl.concat_str(pl.lit(key), pl.lit(".")).str.starts_with(pl.col("key") + ".") for key in settings),
    ).fill_null(value=False)
    by = pl.when((pl.col("by") == "both") & ~changed).then(pl.lit("metric")).otherwise("by")
    return crossings.filter(changed | (pl.col("by") != "config")).with_columns(by=by)


def _by_rules(crossings: pl.DataFrame) -> pl.DataFrame:
    """Say for each row whether its crossed rules were moved by the settings, and whether by the evidence."""
    by = pl.col("by")
    return crossings.group_by("row").agg(rule_by_config=(by != "metric").any(), rule_by_metric=(by != "config").any())


def _crossings(changed: pl.DataFrame, four: tuple[tuple[Facts, RoutingConfig], ...]) -> pl.DataFrame:
    """Return the crossed rules of every changed pair, of the sides whose state changed; ``row`` is that of the pair."""
    keys = changed.select(_PAIR)
    coarse = changed["route_before"] != changed["route_after"]
    pairs = Four(*(_seen(keys.join(f.pairs, on=_PAIR, how="left", maintain_order="left"), f, c) for f, c in four))
    pools = Four(*(_seen(keys.join(f.pooled, on="target", how="left", maintain_order="left"), f, c) for f, c in four))
    served = changed["cs_state_before"] != changed["cs_state_after"]
    both_good = _all_good(changed)
    pooled = state_crossings("pooled", pools, coarse=coarse)
    moved = changed.select(row=pl.int_range(pl.len(), dtype=pl.UInt32)).filter(served)
    return pl.concat(
        [
            state_crossings("local", pairs, coarse=coarse),
            pooled.join(moved, on="row", how="semi"),
            between_crossings(pairs, served=served, both_good=both_good),
        ]
    )


def _seen(frame: pl.DataFrame, facts: Facts, config: RoutingConfig) -> Evidence:
    return Evidence(frame=frame, provided=facts.provided, config=config)


def _all_good(changed: pl.DataFrame) -> pl.Series:
    states = [good(changed[f"{side}_state_{when}"]) for side in ("cs", "local") for when in ("before", "after")]
    return reduce(lambda a, b: a & b, states)


def _unexplained(
    changed: pl.DataFrame,
    crossings: pl.DataFrame,
    old: tuple[Facts, Facts],
    config: RoutingConfig,
    settings: Mapping[str, tuple[Any, Any]],
) -> pl.DataFrame:
    """Name the keys that alone give the new route, for pairs of which no rule that the settings moved says why.

    ``old`` is the old evidence, and the same with stability as the new settings classify it.
    """
    by_config = crossings.filter(pl.col("by") != "metric").select("row").unique()
    numbered = changed.select("row", *_PAIR, "route_before", "route_after", "kind")
    open_ones = numbered.filter(pl.col("kind").str.ends_with("config")).join(by_config, on="row", how="anti")
    keys = [key for key in settings if key.startswith("routing.")]
    tried: dict[str, pl.Expr] = {}
    for number, key in enumerate(keys[:_KEYS_TRIED] if open_ones.height else []):
        document = config.model_dump(mode="json")
        put(document, key.removeprefix("routing."), settings[key][1])
        try:
            other = RoutingConfig.model_validate(document)
        except ValidationError:  # out of order with its neighbours, so nobody can set it alone
            continue
        alone = _routes(old[key.startswith(_CLASSIFIES)], other).rename({"route": f"alone_{number}"})
        open_ones = open_ones.join(alone, on=_PAIR, how="left", maintain_order="left")
        tried[key] = pl.col(f"alone_{number}")
    return open_ones.select("row", keys=_named(tried, keys))


def _named(tried: Mapping[str, pl.Expr], keys: list[str]) -> pl.Expr:
    """List the keys that give the new route alone; else those that give another one; else all that changed."""
    nothing = pl.lit(None, pl.String)
    exact = [
        pl.when(route == pl.col("route_after")).then(pl.lit(key)).otherwise(nothing) for key, route in tried.items()
    ]
    some = [
        pl.when(route != pl.col("route_before")).then(pl.lit(key)).otherwise(nothing) for key, route in tried.items()
    ]
    every = pl.concat_list([pl.lit(key) for key in keys] or [nothing])
    if not tried:
        return every
    lists = [pl.concat_list(found).list.drop_nulls() for found in (exact, some)]
    return pl.when(lists[0].list.len() > 0).then(lists[0]).when(lists[1].list.len() > 0).then(lists[1]).otherwise(every)
