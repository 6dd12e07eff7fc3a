"""Traded volume, and prices against it."""

from collections.abc import Mapping

import polars as pl

from trainroute.panel.prepare.group import RETURN, BarFacts, FeatureGroup, log_ratio, ratio


class Volume(FeatureGroup):
    """How much is traded, on which side, and what it moves.

    ``volume_z_20``: log volume in standard deviations from its mean of 20 bars. ``volume_ratio_5_60``: log of mean
    volumes. ``volume_vol_20``: standard deviation of log volume. ``flow_20``: volume of rises minus volume of falls,
    as a share. ``illiquidity_20``: log of Amihud's mean of |return| / value traded. ``vwap_gap``: log(close / vwap).

    References
    ----------
    .. [1] "Illiquidity and stock returns", Amihud, Journal of Financial Markets 5 (2002).
    """

    name = "volume"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:
        """Return the features by name."""
        found: dict[str, pl.Expr] = {}
        if facts.have("volume"):
            volume, move = pl.col("volume"), pl.col(RETURN)
            log_volume = volume.log1p()
            price_impact = ratio(move.abs(), volume * pl.col("close"))
            found |= {
                "volume_z_20": ratio(log_volume - log_volume.rolling_mean(20), log_volume.rolling_std(20)),
                "volume_ratio_5_60": log_ratio(volume.rolling_mean(5), volume.rolling_mean(60)),
                "volume_vol_20": log_volume.rolling_std(20),
                "flow_20": ratio((move.sign() * volume).rolling_sum(20), volume.rolling_sum(20)),
                "illiquidity_20": (price_impact.rolling_mean(20, min_samples=10) + 1e-18).log(),
            }
        if facts.have("vwap"):
            found["vwap_gap"] = (pl.col("close") / pl.col("vwap")).log()
        return found
