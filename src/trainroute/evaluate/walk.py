"""Out-of-sample predictions of the pooled and of every local ridge model, on the same rows.

1. At each block boundary the moments of all rows whose labels have ended are added up, pooled and per symbol.
2. Features are selected and the penalty is chosen there, from those rows only.
3. The models predict the next block: the pooled one for every symbol, the local one for its own.

Threads share the symbols out (`parallel`). Beside the sums this holds, for one fold at a time, the moments of every
symbol and one ridge path per penalty: 8 x symbols x features x (features + penalties x label columns) bytes.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.design import Scale, standardised
from trainroute.evaluate.linear import Mask, PenaltyChoice, masks, merit, ridge_path
from trainroute.evaluate.selection import select
from trainroute.evaluate.statistics import Floats, Moments, Sums, TargetGroup, labelled
from trainroute.panel import Panel, WalkForward
from trainroute.parallel import in_threads

MIN_LOCAL_WINDOWS = 20
MIN_LOCAL_ROWS = 60
_SYMBOLS_AT_ONCE = 8
"""Symbols whose moments are one piece of work: few enough for the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class TestRows:
    """The labelled rows of all test folds, symbol by symbol, ascending in time.

    Attributes
    ----------
    symbol, fold : ndarray of shape (n_rows,), int64
    time : ndarray of shape (n_rows,), int64
        Position in ``Panel.timestamps``.
    position : ndarray of shape (n_rows,), int64
        Row within the symbol.
    n_symbols, n_folds : int
    """

    symbol: NDArray[np.int64]
    fold: NDArray[np.int64]
    time: NDArray[np.int64]
    position: NDArray[np.int64]
    n_symbols: int
    n_folds: int

    @cached_property
    def cell(self) -> NDArray[np.int64]:
        """Number of each row's (symbol, fold)."""
        return self.symbol * self.n_folds + self.fold

    @cached_property
    def by_date(self) -> tuple[NDArray[np.intp], NDArray[np.int64], int]:
        """The rows in order of time, the number of each one's date among those that have rows, and how many have."""
        order = np.argsort(self.time, kind="stable")
        number = np.cumsum(np.diff(self.time[order], prepend=self.time[order[:1]]) > 0, dtype=np.int64)
        return order, number, int(number[-1]) + 1 if len(number) else 0


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Of the rows of ``TestRows``, per label column.

    Attributes
    ----------
    pooled, local : ndarray of shape (n_rows, n_columns), float32
    local_trained : ndarray of shape (n_symbols, n_folds), bool
        Whether the symbol had enough of its own rows before the fold; elsewhere ``local`` is 0.
    """

    pooled: NDArray[np.float32]
    local: NDArray[np.float32]
    local_trained: NDArray[np.bool_]


def test_rows(panel: Panel, group: TargetGroup, split: WalkForward) -> TestRows:
    """Collect the rows of the test blocks whose labels exist and end before the holdout."""
    holdout = len(split.boundaries) - 1
    parts = []
    for s, rows in enumerate(panel.rows):
        block = split.block_of(panel.timestamps[rows.time_index])
        usable = split.usable_from(rows.label_end[:, group.horizon_index]) <= holdout
        position = np.flatnonzero((block >= split.first_test) & (block < holdout) & usable & labelled(rows, group))
        fold = block[position].astype(np.int64) - split.first_test
        parts.append(np.stack([np.full(len(position), s), fold, rows.time_index[position], position]))
    symbol, fold, time, position = np.concatenate(parts, axis=1).astype(np.int64)
    n_folds = holdout - split.first_test
    return TestRows(symbol=symbol, fold=fold, time=time, position=position, n_symbols=len(panel.rows), n_folds=n_folds)


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """Per fold: pooled (n_folds, n_features, n_columns) and local (n_folds, n_symbols, n_features, n_columns)."""

    pooled: Floats
    local: Floats
    local_trained: NDArray[np.bool_]


def fit_folds(
    sums: Sums, split: WalkForward, owner: NDArray[np.intp], allowed: NDArray[np.bool_], top_m: int, horizon_bars: int
) -> Coefficients:
    """Train the models of every test fold.

    Parameters
    ----------
    owner : ndarray of shape (n_columns,)
        Which of the group's targets each label column belongs to.
    allowed : ndarray of shape (n_targets, n_features), bool
        Features that passed the leak checks.
    """
    n_symbols = len(sums.products)
    pieces = [slice(s, min(s + _SYMBOLS_AT_ONCE, n_symbols)) for s in range(0, n_symbols, _SYMBOLS_AT_ONCE)]
    choices = PenaltyChoice(owner), PenaltyChoice(owner)
    pooled_fits, local_fits, trained = [], [], []
    for fold in range(1, len(split.boundaries) - 1):
        before = in_threads(partial(sums.moments, 0, fold), pieces)
        pool = Moments.added([part.pooled() for part in before])
        groups = masks(select(pool, owner, allowed, top_m)[owner])
        pooled_path = ridge_path(pool, groups)
        local = in_threads(partial(_local_paths, sums, fold, groups), zip(before, pieces, strict=True))
        if fold >= split.first_test:
            pooled_fits.append(choices[0].pick(pooled_path)[0])
            local_fits.append(np.concatenate([choices[1].pick(part.path) for part in local]))
            n = np.concatenate([part.n for part in before])
            trained.append(n >= max(MIN_LOCAL_WINDOWS * horizon_bars, MIN_LOCAL_ROWS))
        choices[0].observe(merit(pooled_path, Moments.added([part.ahead for part in local])))
        choices[1].observe(np.sum([part.merit for part in local], axis=0))
    return Coefficients(
        pooled=np.stack(pooled_fits), local=np.stack(local_fits), local_trained=np.stack(trained, axis=1)
    )


@dataclass(frozen=True, kw_only=True)
class _LocalPaths:
    """Ridge paths of some symbols, their merit on the next block, and the pooled moments of that block."""

    path: Floats
    merit: Floats
    ahead: Moments


def _local_paths(sums: Sums, fold: int, groups: tuple[Mask, ...], work: tuple[Moments, slice]) -> _LocalPaths:
    before, symbols = work
    path = ridge_path(before, groups)
    ahead = sums.moments(fold, fold + 1, symbols)
    return _LocalPaths(path=path, merit=merit(path, ahead), ahead=ahead.pooled())


def predict(panel: Panel, rows: TestRows, scale: Scale, fits: Coefficients) -> Predictions:
    """Apply each fold's models to the rows of its test block."""
    pooled = np.zeros((len(rows.symbol), fits.pooled.shape[-1]), np.float32)
    local = np.zeros_like(pooled)
    starts = np.searchsorted(rows.cell, np.arange(rows.n_symbols * rows.n_folds + 1))
    shared = fits.pooled.astype(np.float32)

    def of_symbol(s: int) -> None:
        edges = starts[s * rows.n_folds : (s + 1) * rows.n_folds + 1]
        features = standardised(panel.rows[s], scale, rows.position[edges[0] : edges[-1]])
        for fold, (low, high) in enumerate(pairwise(edges)):
            block = features[low - edges[0] : high - edges[0]]
            np.matmul(block, shared[fold], out=pooled[low:high])
            if fits.local_trained[s, fold]:
                np.matmul(block, fits.local[fold, s].astype(np.float32), out=local[low:high])

    in_threads(of_symbol, range(rows.n_symbols))
    return Predictions(pooled=pooled, local=local, local_trained=fits.local_trained)
