"""What a target kind is. One kind is one file in ``kinds/``; it is found, not listed.

Look-ahead rule: a label is known only after its row. It starts at the next bar: for a row at bar ``t`` the window is
the ``h`` bars ``(t, t + h]``, entered at the open of bar ``t + 1``. Bars without an open are entered at the close of
bar ``t + 1`` instead, and the window is the ``h`` bars ``(t + 1, t + 1 + h]``. Bars are counted in the symbol's own
series.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from trainroute.panel.prepare.group import RETURN, BarFacts

_VARIANCE_DECIMALS = 15


@dataclass(frozen=True, kw_only=True)
class Window:
    """The bars that a label measures, as expressions over the bars of one symbol; null where it is incomplete.

    Attributes
    ----------
    bars : int
        ``h``, at least 1.
    facts : BarFacts
    """

    bars: int
    facts: BarFacts

    @property
    def last(self) -> int:
        """How many bars after the row the window ends."""
        return self.bars if self.facts.have("open") else self.bars + 1

    def entry(self) -> pl.Expr:
        """Return the price at which the window begins."""
        return pl.col("open" if self.facts.have("open") else "close").shift(-1)

    def exit(self) -> pl.Expr:
        """Return the last close."""
        return pl.col("close").shift(-self.last)

    def high(self) -> pl.Expr:
        """Return the highest price."""
        price = pl.col("high" if self.facts.have("high", "low") else "close")
        return price.rolling_max(self.bars).shift(-self.last)

    def low(self) -> pl.Expr:
        """Return the lowest price."""
        price = pl.col("low" if self.facts.have("high", "low") else "close")
        return price.rolling_min(self.bars).shift(-self.last)

    def volatility(self) -> pl.Expr:
        """Return the root mean square of the ``h`` log returns from the entry to the exit."""
        squares = pl.col(RETURN) ** 2
        if not self.facts.have("open"):
            total = squares.rolling_sum(self.bars)
        else:
            first = (pl.col("close") / pl.col("open")).log() ** 2
            total = first if self.bars == 1 else first.shift(self.bars - 1) + squares.rolling_sum(self.bars - 1)
        # Rounding takes away what a running sum remembers of bars that left it.
        return (total.shift(-self.last) / self.bars).clip(lower_bound=0.0).round(_VARIANCE_DECIMALS).sqrt()


class TargetKind(ABC):
    """A kind of label.

    Attributes
    ----------
    name : str
    prefix : str
        How the names of its targets begin: ``<prefix>_<horizon>``, e.g. ``y_up_5d``.
    sized : bool
        Whether a number ends the name: ``<prefix>_<horizon>_<size>``.
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    sized: ClassVar[bool] = False

    @abstractmethod
    def outcome(self, window: Window) -> pl.Expr:
        """Return what happens in the window. It may depend on the window's bars only."""

    def threshold(self, window: Window, size: float | None) -> pl.Expr | None:  # noqa: ARG002 - for those that need it
        """Return what the outcome is compared with. It may depend on the row's bar and earlier ones only.

        None means that the outcome itself is the label.
        """
        return None

    def label(self, window: Window, size: float | None) -> pl.Expr:
        """Return the outcome, or 1 where it exceeds the threshold, else 0; null where either is unknown."""
        outcome, threshold = self.outcome(window), self.threshold(window, size)
        if threshold is None:
            return outcome.cast(pl.Float32)
        return (outcome > threshold).cast(pl.Int8)
