"""Moves of a given size within the window.

The size is in units of the volatility expected over the window: a move counts when it exceeds
``size × σ × √h``, where σ is the standard deviation of the last 60 log returns at the row.
"""

from math import sqrt

import polars as pl

from trainroute.panel.prepare.group import RETURN
from trainroute.panel.prepare.kind import TargetKind, Window

VOLATILITY_BARS = 60
_MIN_BARS = 20
_STILL = 1e-12


class _Move(TargetKind):
    """A move that is compared with the volatility at the row."""

    sized = True

    def threshold(self, window: Window, size: float | None) -> pl.Expr:
        """Return size × σ × √h; null where the price stood still."""
        volatility = pl.col(RETURN).rolling_std(VOLATILITY_BARS, min_samples=_MIN_BARS)
        return pl.when(volatility > _STILL).then(volatility * sqrt(window.bars) * (size or 0.0))


class SwingHigh(_Move):
    """1 where the highest price of the window lies further above the entry than the size."""

    name = "swing_high"
    prefix = "y_will_swing_high"

    def outcome(self, window: Window) -> pl.Expr:
        """Return log(high / entry)."""
        return (window.high() / window.entry()).log()


class SwingLow(_Move):
    """1 where the lowest price of the window lies further below the entry than the size."""

    name = "swing_low"
    prefix = "y_will_swing_low"

    def outcome(self, window: Window) -> pl.Expr:
        """Return log(entry / low)."""
        return (window.entry() / window.low()).log()


class Peak(_Move):
    """1 where the price rises by more than the size and has given it all back at the window's last close."""

    name = "peak"
    prefix = "y_will_peak"

    def outcome(self, window: Window) -> pl.Expr:
        """Return log(high / entry) where the exit is not above the entry, else 0."""
        rise = (window.high() / window.entry()).log()
        return pl.when(window.exit() <= window.entry()).then(rise).otherwise(rise * 0.0)


class Valley(_Move):
    """1 where the price falls by more than the size and has made it all good at the window's last close."""

    name = "valley"
    prefix = "y_will_valley"

    def outcome(self, window: Window) -> pl.Expr:
        """Return log(entry / low) where the exit is not below the entry, else 0."""
        fall = (window.entry() / window.low()).log()
        return pl.when(window.exit() >= window.entry()).then(fall).otherwise(fall * 0.0)
