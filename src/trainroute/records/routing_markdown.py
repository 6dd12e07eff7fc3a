"""The routing plan as a page that a person reads, whatever its size: counts, causes and edge cases."""

import polars as pl

from trainroute.records.markdown import bounded_table, table
from trainroute.records.routing import RoutingPlan, causes_counted, near_margins
from trainroute.records.vocabulary import RouteState

_TARGETS_SHOWN = 50
_PAIRS_SHOWN = 30
_SHORT = {route: route.value.removeprefix("ROUTE_") for route in RouteState}


def routing_markdown(plan: RoutingPlan) -> str:
    """Return the page: metadata, routes, causes of blocking, targets, and the pairs nearest to another route."""
    meta = plan.metadata
    counts = plan.route_counts()
    made = (
        f"Plan `{meta.plan_id}`, made {meta.generated_at} by trainroute {meta.code_version} from "
        f"{plan.pooled.height} targets and {plan.pairs.height} pairs (candidates `{meta.metrics_snapshot[:16]}`, "
        f"config `{meta.config_hash[:16]}`)."
    )
    return "\n".join(
        [
            "# Routing plan",
            "",
            made,
            "",
            "## Routes",
            "",
            table(["route", "pairs"], [(_SHORT[route], counts[route]) for route in RouteState]),
            "## Why blocked",
            "",
            table(["cause", "pairs"], causes_counted(plan.pairs).items()),
            "## Targets",
            "",
            _targets(plan),
            "## Nearest to a threshold of score or skill",
            "",
            _edge_cases(plan),
        ]
    )


def _targets(plan: RoutingPlan) -> str:
    routed = plan.pairs.group_by("target").agg(
        *((pl.col("route") == route.value).sum().alias(_SHORT[route]) for route in RouteState)
    )
    frame = plan.pooled.select("target", "state", "score_shrunk", "score").join(routed, on="target", how="left")
    frame = frame.with_columns(best=pl.coalesce("score_shrunk", "score")).sort(
        ["best", "target"], descending=[True, False], nulls_last=True
    )
    rows = frame.head(_TARGETS_SHOWN).select("target", "state", "best", *_SHORT.values()).rows()
    return bounded_table(["target", "pooled", "shrunk score", *_SHORT.values()], rows, total=plan.pooled.height)


def _edge_cases(plan: RoutingPlan) -> str:
    """Show the pairs with the smallest distance between a score or probability of their own and its threshold."""
    distance = pl.min_horizontal(margin.abs() for margin in near_margins().values())
    known = plan.pairs.select("target", "symbol", distance=distance).with_row_index("row").drop_nulls("distance")
    nearest = known.sort("distance", "target", "symbol").head(_PAIRS_SHOWN)
    pairs = plan.pairs[nearest["row"]].with_columns(nearest["distance"])
    rows = pairs.select("target", "symbol", "route", "distance", pl.col("reasons").list.join("; ")).rows()
    shown = [(t, s, _SHORT[RouteState(route)], f"{d:.6f}", why) for t, s, route, d, why in rows]
    return bounded_table(["target", "symbol", "route", "distance", "reasons"], shown, total=known.height)
