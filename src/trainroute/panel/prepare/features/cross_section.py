"""Each symbol against the others at the same time."""

from collections.abc import Mapping

import polars as pl

from trainroute.panel.prepare.group import BarFacts, FeatureGroup

MIN_SYMBOLS = 5
_RANKED = ("ret_1", "ret_5", "ret_20", "vol_20", "from_high_60")


class CrossSection(FeatureGroup):
    """Ranks over the symbols that have a bar at the same time, from -0.5 (lowest) to 0.5; ties share their mean.

    Null where fewer than five symbols have a value.
    """

    name = "cross_section"
    scope = "panel"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:
        """Return the features by name."""
        if facts.n_symbols < MIN_SYMBOLS:
            return {}
        ranked = (*_RANKED, "volume_z_20") if facts.have("volume") else _RANKED
        return {f"rank_{name}": _rank(pl.col(name)) for name in ranked}


def _rank(values: pl.Expr) -> pl.Expr:
    count = pl.when(values.count() >= MIN_SYMBOLS).then(values.count())
    return ((values.rank("average") - 0.5) / count - 0.5).over("ts")
