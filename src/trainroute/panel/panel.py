"""The panel in memory: what every later stage reads."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.records.vocabulary import Task

MICROSECONDS_PER_MINUTE = 60_000_000


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target column and what is known of it.

    Attributes
    ----------
    name : str
    task : Task
    classes : tuple of float
        The distinct values, ascending (classification); empty for regression.
    horizon_us : int
        How far ahead the label looks, in microseconds.
    horizon_bars : int
        The same in bars, at least 1.
    horizon_index : int
        Which column of ``SymbolRows.label_end`` is this target's.
    """

    name: str
    task: Task
    classes: tuple[float, ...]
    horizon_us: int
    horizon_bars: int
    horizon_index: int

    @property
    def horizon_minutes(self) -> float:
        """The horizon in minutes."""
        return self.horizon_us / MICROSECONDS_PER_MINUTE


@dataclass(frozen=True, kw_only=True)
class SymbolRows:
    """The rows of one symbol, ascending in time.

    Attributes
    ----------
    symbol : str
    time_index : ndarray of shape (n_rows,), int32
        Position of each row's timestamp in ``Panel.timestamps``; strictly ascending.
    features : ndarray of shape (n_rows, n_features), float32, C order
        NaN where the value is missing; never infinite.
    targets : ndarray of shape (n_rows, n_targets), float32, C order
        The raw label values; NaN where there is no label; never infinite.
    label_end : ndarray of shape (n_rows, n_horizons), int64
        Timestamp (µs, UTC) of the last bar that the label uses.
    """

    symbol: str
    time_index: NDArray[np.int32]
    features: NDArray[np.float32]
    targets: NDArray[np.float32]
    label_end: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_index)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Many symbols over time, checked and ready to measure.

    Attributes
    ----------
    timestamps : ndarray of shape (n_times,), int64
        All timestamps of all symbols (µs since 1970, UTC), strictly ascending.
    bar_interval_us : int
    rows : tuple of SymbolRows
        Sorted by symbol.
    features : tuple of str
    targets : tuple of Target
    fingerprint : str
        Hash of the content of the files read.
    repairs : tuple of str
        What was repaired or left out on reading, one line each.
    """

    timestamps: NDArray[np.int64]
    bar_interval_us: int
    rows: tuple[SymbolRows, ...]
    features: tuple[str, ...]
    targets: tuple[Target, ...]
    fingerprint: str
    repairs: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, sorted."""
        return tuple(rows.symbol for rows in self.rows)

    @property
    def n_rows(self) -> int:
        """Rows of all symbols together."""
        return sum(len(rows) for rows in self.rows)
