"""Past returns and their trend."""

from collections.abc import Mapping

import polars as pl

from trainroute.panel.prepare.group import RETURN, BarFacts, FeatureGroup, ratio

_LOOKBACKS = (1, 5, 10, 20, 60)
_RSI_BARS = 14


class Momentum(FeatureGroup):
    """Log returns over several lookbacks, and smooth versions of them.

    ``ret_k``: log return over k bars. ``ret_60_5``: from 60 to 5 bars ago. ``ema_gap_12_26``: difference of two
    exponential means of the log close, in units of ``vol_20``. ``rsi_14``: Wilder's relative strength, 0 to 1.

    References
    ----------
    .. [1] "New Concepts in Technical Trading Systems", J. Welles Wilder (1978).
    """

    name = "momentum"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:  # noqa: ARG002 - closes are always there
        """Return the features by name."""
        log_close = pl.col("close").log()
        move = pl.col(RETURN)
        gap = log_close.ewm_mean(span=12, min_samples=12) - log_close.ewm_mean(span=26, min_samples=26)
        gains = move.clip(lower_bound=0.0).ewm_mean(alpha=1 / _RSI_BARS, min_samples=_RSI_BARS)
        swings = move.abs().ewm_mean(alpha=1 / _RSI_BARS, min_samples=_RSI_BARS)
        return {
            **{f"ret_{bars}": log_close.diff(bars) for bars in _LOOKBACKS},
            "ret_60_5": log_close.shift(5) - log_close.shift(60),
            "ema_gap_12_26": ratio(gap, move.rolling_std(20)),
            "rsi_14": ratio(gains, swings),
        }
