"""What two routing plans decide differently, and why.

1. Pairs of both plans are put side by side and decided again, by the rules that made the plans, with the evidence, the
   settings or the memory of hysteresis of the other plan (`trainroute.route.factors`). What gives the new route is the
   cause.
2. `state_crossings`, `between_crossings` name the rules that answer otherwise: the metric, the config key, or both.
3. What no single rule shows is named by its keys (`trainroute.route.setting_causes`).

Where a key of ``routing.stability_classification`` changed, another stability counts as its effect, since plans record
stability as it was classified.
"""

from functools import reduce
from operator import or_

import polars as pl

from trainroute.records.routing import RoutingPlan
from trainroute.records.vocabulary import RouteState
from trainroute.route.crossings import Rows, between_crossings, good, state_crossings
from trainroute.route.factors import Factor, Factors, Mixture, any_blamed, routes_again, words
from trainroute.route.route_changes import LANE_FULL, RouteChanges
from trainroute.route.setting_causes import named_keys, of_named_keys, settings_between, without_rules

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
    settings = settings_between(before, after)
    changed, added, removed = _side_by_side(before, after)
    if changed.height == 0:
        return RouteChanges(before=before, after=after, settings=settings, pairs=changed, added=added, removed=removed)
    factors = Factors(before, after, settings)
    changed = _with_rows(changed, factors, data_changed=data_changed).with_row_index("row")
    crossings = _crossings(changed, factors)
    changed = changed.hstack(_blamed(changed, crossings, factors))
    if before.metadata.code_version != after.metadata.code_version:
        changed = _of_other_code(changed, factors)
    evidence = pl.when("data").then(pl.lit("data")).otherwise(pl.lit("metric"))
    changed = changed.with_columns(kind=pl.when(any_blamed()).then(words(evidence)).otherwise(pl.lit("code")))
    named = named_keys(changed, factors, settings)
    crossings = of_named_keys(crossings, named)
    silent = without_rules(named, crossings)
    changed = changed.join(silent, on="row", how="left", maintain_order="left")
    return RouteChanges(
        before=before,
        after=after,
        settings=settings,
        pairs=changed,
        added=added,
        removed=removed,
        crossings=crossings,
    )


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
    """Add how many rows a pair had and has, and whether its rows changed, or its pool's, or a rival's in the lane."""
    for facts, when in ((factors.before[0], "before"), (factors.after[0], "after")):
        own = facts.pairs.select(*_PAIR, pl.col("sample_size").alias(f"rows_{when}"))
        pool = facts.pooled.select("target", pl.col("sample_size").alias(f"pool_rows_{when}"))
        changed = changed.join(own, on=_PAIR, how="left", maintain_order="left")
        changed = changed.join(pool, on="target", how="left", maintain_order="left")
    differs = reduce(
        or_, (pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in ("rows", "pool_rows"))
    )
    waits, lane = (
        reduce(or_, (pl.col(f"{name}_{when}").eq_missing(pl.lit(value)) for when in ("before", "after")))
        for name, value in (("blocked_by", LANE_FULL), ("route", RouteState.ROUTE_EXPERIMENTAL_ONLY.value))
    )
    moved = pl.col("route_before") != pl.col("route_after")
    of_rival = waits & (differs & lane & moved).any().over("target")
    data = differs | of_rival | pl.lit(data_changed)
    return changed.with_columns(data=data).drop("pool_rows_before", "pool_rows_after")


def _blamed(changed: pl.DataFrame, crossings: pl.DataFrame, factors: Factors) -> pl.DataFrame:
    """Say which factors gave each pair its new route or, with the same route, moved the rules of its states."""

    def answer(mixture: Mixture) -> pl.Series:
        if mixture == factors.all:
            return changed["route_after"]
        return routes_again(changed, factors.facts(mixture), factors.config(mixture))

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
    old, new = (routes_again(changed, f, c) for f, c in (factors.before, factors.after))
    reproduced = (old == changed["route_before"]) & (new == changed["route_after"])
    return changed.with_columns((pl.col(f"by_{factor}") & reproduced).alias(f"by_{factor}") for factor in Factor)


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
