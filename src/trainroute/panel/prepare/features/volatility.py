"""Volatility from closes."""

from collections.abc import Mapping

import polars as pl

from trainroute.panel.prepare.group import RETURN, BarFacts, FeatureGroup, log_ratio


class Volatility(FeatureGroup):
    """Standard deviations of log returns, and how they compare.

    ``abs_ret_1``: size of the last return. ``vol_k``: standard deviation over k bars. ``vol_ewm_10``: root of the
    exponential mean (centre of mass 10) of squared returns. ``vol_ratio_a_b``: log of ``vol_a / vol_b``.
    ``vol_of_vol_60``: standard deviation of return sizes over 60 bars.
    """

    name = "volatility"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:  # noqa: ARG002 - closes are always there
        """Return the features by name."""
        move = pl.col(RETURN)
        return {
            "abs_ret_1": move.abs(),
            **{f"vol_{bars}": move.rolling_std(bars) for bars in (5, 20, 60)},
            "vol_ewm_10": (move**2).ewm_mean(com=10, min_samples=10).sqrt(),
            "vol_ratio_5_20": log_ratio(move.rolling_std(5), move.rolling_std(20)),
            "vol_ratio_20_60": log_ratio(move.rolling_std(20), move.rolling_std(60)),
            "vol_of_vol_60": move.abs().rolling_std(60),
        }
