"""Where the close stands in its own past."""

from collections.abc import Mapping

import polars as pl

from trainroute.panel.prepare.group import BarFacts, FeatureGroup, ratio


class Position(FeatureGroup):
    """The close against its past highs, lows and mean.

    ``from_high_k``, ``from_low_k``: log distance to the highest and lowest price of k bars. ``z_20``: distance to
    the mean of 20 log closes in standard deviations.
    """

    name = "position"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:
        """Return the features by name."""
        log_close = pl.col("close").log()
        high = pl.col("high" if facts.have("high", "low") else "close")
        low = pl.col("low" if facts.have("high", "low") else "close")
        return {
            **{f"from_high_{bars}": log_close - high.rolling_max(bars).log() for bars in (20, 60)},
            **{f"from_low_{bars}": log_close - low.rolling_min(bars).log() for bars in (20, 60)},
            "z_20": ratio(log_close - log_close.rolling_mean(20), log_close.rolling_std(20)),
        }
