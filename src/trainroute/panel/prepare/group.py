"""What a feature group is. One group is one file in ``features/``; it is found, not listed.

Look-ahead rule: the features of a row may use bars up to and including the row's own, which is known at its close.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import polars as pl

RETURN = "\0log_return"
"""Helper column: log return from the previous close; null in the first row."""
RANGE = "\0log_range"
"""Helper column: log(high / low); only where bars have both."""
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class BarFacts:
    """What is known of the bars of a panel, whatever the row.

    Attributes
    ----------
    columns : frozenset of str
        Of ``open``, ``high``, ``low``, ``close``, ``volume``, ``vwap``.
    interval_us : int
        Between two bars, in microseconds.
    n_symbols : int
    """

    columns: frozenset[str]
    interval_us: int
    n_symbols: int

    def have(self, *columns: str) -> bool:
        """Tell whether all these columns are there."""
        return self.columns.issuperset(columns)


class FeatureGroup(ABC):
    """A group of features of one idea.

    Attributes
    ----------
    name : str
    scope : {"symbol", "panel"}
        ``symbol``: expressions over the bars of one symbol, ascending in time, with the helper columns above.
        ``panel``: expressions over all symbols' ``ts`` and symbol-scope features; use ``.over("ts")``.
    """

    name: ClassVar[str]
    scope: ClassVar[Literal["symbol", "panel"]] = "symbol"

    @abstractmethod
    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:
        """Return the features that these bars allow, by name; may be empty."""


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Divide; null where the denominator is not clearly positive."""
    return numerator / pl.when(denominator > _TINY).then(denominator)


def log_ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Return the log of a ratio of positive numbers; null where either is not clearly positive."""
    return ratio(pl.when(numerator > _TINY).then(numerator), denominator).log()
