"""Volatility and shape from open, high, low and close."""

from collections.abc import Mapping
from math import log

import polars as pl

from trainroute.panel.prepare.group import RANGE, BarFacts, FeatureGroup, ratio


class Range(FeatureGroup):
    """What the inside of bars tells.

    ``range_1``: log(high / low). ``parkinson_20``: Parkinson's volatility. ``range_ratio_20``: the last
    range over the mean of 20. ``garman_klass_20``: Garman and Klass's volatility. ``gap_1``: log(open / previous
    close). ``body_1``: log(close / open). ``close_in_bar``: where the close lies between low (0) and high (1).

    References
    ----------
    .. [1] "The extreme value method for estimating the variance of the rate of return", Parkinson, Journal of
        Business 53 (1980).
    .. [2] "On the estimation of security price volatilities from historical data", Garman and Klass, Journal of
        Business 53 (1980).
    """

    name = "range"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:
        """Return the features by name."""
        found: dict[str, pl.Expr] = {}
        low, close = pl.col("low"), pl.col("close")
        if facts.have("high", "low"):
            span = pl.col(RANGE)
            found |= {
                "range_1": span,
                "range_ratio_20": ratio(span, span.rolling_mean(20)),
                "close_in_bar": ratio(close - low, pl.col("high") - low),
                "parkinson_20": ((span**2).rolling_mean(20) / (4 * log(2))).sqrt(),
            }
        if facts.have("open"):
            body = (close / pl.col("open")).log()
            found |= {"body_1": body, "gap_1": (pl.col("open") / close.shift(1)).log()}
            if facts.have("high", "low"):
                variance = 0.5 * pl.col(RANGE) ** 2 - (2 * log(2) - 1) * body**2
                found["garman_klass_20"] = variance.rolling_mean(20).clip(lower_bound=0.0).sqrt()
        return found
