"""The routing plan as a page that a person reads, whatever its size: counts, causes and edge cases."""

import polars as pl

from trainroute.records.markdown import bounded_table, table
from trainroute.records.routing import RoutingPlan, SymbolMargins
from trainroute.records.vocabulary import RouteState

_TARGETS_SHOWN = 50
_PAIRS_SHOWN = 30
_SHORT = {route: route.value.removeprefix("ROUTE_") for route in RouteState}
_SCORE_MARGINS = [name for name in SymbolMargins.__struct_fields__ if name not in {"sample_size", "n_eff"}]


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
            table(["cause", "pairs"], plan_blockers(plan)),
            "## Targets",
            "",
            _targets(plan),
            "## Nearest to a threshold of score or evidence",
            "",
            _edge_cases(plan),
        ]
    )


def plan_blockers(plan: RoutingPlan) -> list[tuple[str, int]]:
    """Return how many pairs each cause blocks, most first."""
    blocked = plan.pairs.filter(pl.col("blocked_by").is_not_null()).group_by("blocked_by").len()
    return [(cause, int(n)) for cause, n in blocked.sort(["len", "blocked_by"], descending=[True, False]).iter_rows()]


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
    """Show the pairs with the smallest distance between a score or probability and its threshold."""
    distances = [pl.col("margins").struct.field(name).abs() for name in _SCORE_MARGINS if "score" in name]
    frame = plan.pairs.with_columns(nearest=pl.min_horizontal(distances)).filter(pl.col("nearest").is_not_null())
    nearest = frame.sort("nearest", "target", "symbol").head(_PAIRS_SHOWN)
    rows = nearest.select("target", "symbol", "route", "nearest", pl.col("reasons").list.join("; ")).rows()
    shown = [(t, s, _SHORT[RouteState(route)], f"{d:.6f}", why) for t, s, route, d, why in rows]
    return bounded_table(["target", "symbol", "route", "distance", "reasons"], shown, total=frame.height)
