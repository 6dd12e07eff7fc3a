"""The evidence that a routing plan records, as facts, so that it can be decided again under other settings.

Stability is recorded as the rules saw it: UNKNOWN where fewer snapshots than
``stability_classification.min_snapshots_for_stability`` were compared. Another value of this key, alone among those of
`routing`, shows only where the candidates themselves are decided again.
"""

from collections.abc import Collection

import polars as pl

from trainroute.records.candidates import COLUMNS
from trainroute.records.routing import RoutingPlan
from trainroute.route.facts import Facts, with_target


def facts_of_plan(plan: RoutingPlan, targets: Collection[str] | None = None) -> Facts:
    """Return what the decisions of a plan stand on; of some targets only, if they are given."""
    pooled = plan.pooled.drop("state", "margins", "reasons", "pinned_by")
    pairs = plan.pairs.select("target", "symbol", "scores", "evidence")
    if targets is not None:
        wanted = pl.col("target").is_in(list(targets))
        pooled, pairs = pooled.filter(wanted), pairs.filter(wanted)
    pairs = with_target(pairs.unnest("scores", "evidence"), pooled).sort("target", "symbol")
    return Facts(pooled=pooled, pairs=pairs, provided=frozenset(COLUMNS.keys() & plan.metadata.columns_provided))
