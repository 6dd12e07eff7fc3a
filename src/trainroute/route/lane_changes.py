"""Who won and who lost a place in the experimental lane between two plans, and by which scores."""

from collections.abc import Iterator

import polars as pl

from trainroute.records.differences import ChangeCause, moved, shown
from trainroute.records.routing import RoutingPlan, pooled_score_on_symbol, score_column
from trainroute.records.vocabulary import RouteState, SignalState
from trainroute.route.experimental import in_queue, lane_full, lane_score

_RIVALS_SHOWN = 3


class LaneChanges:
    """The queues of two plans for the lane, side by side.

    Parameters
    ----------
    before, after : RoutingPlan
    """

    def __init__(self, before: RoutingPlan, after: RoutingPlan) -> None:
        self._queues = _queue(before).join(
            _queue(after), on=["target", "symbol"], how="full", coalesce=True, suffix="_after"
        )

    def causes(self, target: str, symbol: str, *, by: str) -> Iterator[ChangeCause]:
        """Say why a pair of both queues keeps its place in only one: its own score where that moved, and its rivals.

        ``by`` is what is blamed for it, as of `ChangeCause`.
        """
        queue = self._queues.filter(pl.col("target") == target)
        own = queue.row(by_predicate=pl.col("symbol") == symbol, named=True)
        same_side = (own["side"], own["column"]) == (own["side_after"], own["column_after"])
        if same_side and own["score"] != own["score_after"]:
            yield _cause(by, own["column_after"], own["side_after"], own["score"], own["score_after"])
        kept, keeps = (pl.col(name).fill_null(value=False) for name in ("keeps", "keeps_after"))
        verb, theirs = ("left", kept & ~keeps) if own["keeps_after"] else ("taken", keeps & ~kept)
        rivals = queue.filter(theirs, pl.col("symbol") != symbol).sort("symbol")
        others = [
            f"{verb} by {row['symbol']} ({_scores(row['score'], row['score_after'])})"
            for row in rivals.head(_RIVALS_SHOWN).iter_rows(named=True)
        ]
        places = [queue.select(held.sum()).item() for held in (kept, keeps)]
        if rivals.height > _RIVALS_SHOWN:
            others.append(f"{rivals.height - _RIVALS_SHOWN} more")
        if places[0] != places[1]:
            others.append(f"places {moved(*places)}")
        was, now = ("kept" if own[name] else "full" for name in ("keeps", "keeps_after"))
        yield _cause(by, "place in the experimental lane", None, was, now, tuple(others))


def _scores(before: float | None, after: float | None) -> str:
    """Write the scores of a rival; in one of the queues alone it has one, and so has one that did not move."""
    known = [score for score in (before, after) if score is not None]
    return moved(before, after) if before != after and len(known) > 1 else shown(after if before is None else before)


def _cause(
    by: str,
    metric: str,
    side: str | None,
    before: float | str | None,
    after: float | str | None,
    others: tuple[str, ...] = (),
) -> ChangeCause:
    return ChangeCause(
        by=by,
        side=side,
        rule="experimental lane",
        metric=metric,
        key=None,
        value_before=before,
        value_after=after,
        threshold_before=None,
        threshold_after=None,
        others=others,
    )


def _queue(plan: RoutingPlan) -> pl.DataFrame:
    """Return who asks for a place: ``target, symbol, side, column, score`` and whether it ``keeps`` one."""
    provided = frozenset(plan.metadata.columns_provided)
    local, pooled = score_column(plan.routing, provided), pooled_score_on_symbol(plan.routing, provided)
    of_target = plan.pooled.select("target", target_score=local)
    by_local = pl.col("local_state") == SignalState.EXPERIMENTAL
    by_pin = (pl.col("route") == RouteState.ROUTE_EXPERIMENTAL_ONLY) & pl.col("pinned_by").is_not_null()
    return (
        plan.pairs.filter(in_queue() & ~by_pin)
        .unnest("scores")
        .join(of_target, on="target", how="left", maintain_order="left")
        .select(
            "target",
            "symbol",
            side=pl.when(by_local).then(pl.lit("local")).otherwise(pl.lit("pooled")),
            column=pl.when(by_local).then(pl.lit(local)).otherwise(pl.lit(pooled)),
            score=lane_score(local, pooled),
            keeps=~lane_full(),
        )
    )
