"""Whether the volatility ahead is high for this symbol."""

import polars as pl

from trainroute.panel.prepare.kind import TargetKind, Window

MIN_LOOKBACK_BARS = 252
WINDOWS_IN_LOOKBACK = 20


class HighVolatility(TargetKind):
    """1 where the window's realised volatility exceeds its own trailing median.

    The median is that of all windows of the same length that were complete at the row, over the last
    max(252, 20 h) bars, of which a quarter must be there. So no future enters it.
    """

    name = "high_volatility"
    prefix = "y_high_vol"

    def outcome(self, window: Window) -> pl.Expr:
        """Return the root mean square log return."""
        return window.volatility()

    def threshold(self, window: Window, size: float | None) -> pl.Expr:  # noqa: ARG002 - the kind's signature
        """Return the trailing median of outcomes that are known."""
        lookback = max(MIN_LOOKBACK_BARS, WINDOWS_IN_LOOKBACK * window.bars)
        return self.outcome(window).shift(window.last).rolling_median(lookback, min_samples=lookback // 4)
