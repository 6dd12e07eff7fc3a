"""What all symbols do together at the same time."""

from collections.abc import Mapping

import polars as pl

from trainroute.panel.prepare.features.cross_section import MIN_SYMBOLS
from trainroute.panel.prepare.group import BarFacts, FeatureGroup


class Market(FeatureGroup):
    """Means over the symbols that have a bar at the same time; null where fewer than five have a value.

    ``market_ret_1``, ``market_vol_20``: means of ``ret_1`` and ``vol_20``. ``dispersion_1``: standard deviation of
    ``ret_1`` over symbols. ``excess_ret_20``: ``ret_20`` above the mean.
    """

    name = "market"
    scope = "panel"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:
        """Return the features by name."""
        if facts.n_symbols < MIN_SYMBOLS:
            return {}
        return {
            "market_ret_1": _where_enough("ret_1", pl.col("ret_1").mean()),
            "market_vol_20": _where_enough("vol_20", pl.col("vol_20").mean()),
            "dispersion_1": _where_enough("ret_1", pl.col("ret_1").std()),
            "excess_ret_20": _where_enough("ret_20", pl.col("ret_20") - pl.col("ret_20").mean()),
        }


def _where_enough(counted: str, value: pl.Expr) -> pl.Expr:
    return pl.when(pl.col(counted).count() >= MIN_SYMBOLS).then(value).over("ts")
