"""Tree predictions of the (fold, symbol) that are asked for, of one group of targets."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.inputs import GroupInput
from trainroute.evaluate.selection import select
from trainroute.evaluate.statistics import Floats, labelled
from trainroute.evaluate.trees import (
    LOCAL_SIZE,
    POOLED_SIZE,
    TreeRows,
    clipped,
    drawn,
    predicted,
    thinning,
)
from trainroute.evaluate.walk import TestRows
from trainroute.panel import WalkForward
from trainroute.parallel import in_threads

_SEED = 0


class TreeWalk:
    """The trees of one group, trained fold by fold on demand.

    Attributes
    ----------
    pooled, local : ndarray of shape (n_rows, n_columns), float32
        What was predicted so far; 0 elsewhere.
    models : ndarray of shape (n_columns,), int64
        How many were asked for so far.
    """

    def __init__(
        self, data: GroupInput, rows: TestRows, split: WalkForward, allowed: NDArray[np.bool_], top_m: int
    ) -> None:
        self._data = data
        self._rows = rows
        self._split = split
        self._allowed = allowed
        self._top_m = top_m
        self._step = thinning(data.horizon_bars)
        self._starts = np.searchsorted(rows.cell, np.arange(rows.n_symbols * rows.n_folds + 1))
        self.pooled = np.zeros((len(rows.symbol), len(data.owner)), np.float32)
        self.local = np.zeros_like(self.pooled)
        self.models = np.zeros(len(data.owner), np.int64)

    def predict_pooled(self, asked: NDArray[np.bool_]) -> None:
        """Fill ``pooled`` where ``asked``, shape (n_columns, n_folds)."""
        if not asked.any():
            return
        pool, number = self._pool
        self.models += asked.sum(1)

        def predict_fold(fold: int) -> None:
            kept = drawn(number, np.flatnonzero(pool.usable_from <= self._block(fold)))
            parts = [self._test_part(s, fold) for s in range(self._rows.n_symbols)]
            columns = np.flatnonzero(asked[:, fold]).tolist()
            self._fill(self.pooled, pool, kept, columns, fold, parts)

        in_threads(predict_fold, np.flatnonzero(asked.any(0)).tolist())

    def predict_local(self, asked: NDArray[np.bool_]) -> None:
        """Fill ``local`` where ``asked``, shape (n_columns, n_symbols, n_folds)."""
        self.models += asked.sum((1, 2))

        def predict_symbol(s: int) -> None:
            own = self._tree_rows((s, self._positions(s)))
            for fold in np.flatnonzero(asked[:, s].any(0)).tolist():
                kept = np.flatnonzero(own.usable_from <= self._block(fold))
                columns = np.flatnonzero(asked[:, s, fold]).tolist()
                self._fill(self.local, own, kept, columns, fold, [self._test_part(s, fold)])

        in_threads(predict_symbol, np.flatnonzero(asked.any((0, 2))).tolist())

    def _fill(
        self,
        predictions: NDArray[np.float32],
        training: TreeRows,
        kept: NDArray[np.intp],
        columns: list[int],
        fold: int,
        parts: list[slice],
    ) -> None:
        """Train on the rows ``kept`` and predict the test rows in ``parts``."""
        here = np.concatenate([np.arange(part.start, part.stop) for part in parts])
        if len(kept) == 0 or len(here) == 0:
            return
        size = POOLED_SIZE if predictions is self.pooled else LOCAL_SIZE
        features = self._test_features(parts)
        for column, booster in training.fit(kept, columns, self._features(fold), size):
            predictions[here, column] = predicted(booster, features)

    def _block(self, fold: int) -> int:
        return self._split.first_test + fold

    def _test_part(self, symbol: int, fold: int) -> slice:
        cell = symbol * self._rows.n_folds + fold
        return slice(int(self._starts[cell]), int(self._starts[cell + 1]))

    def _test_features(self, parts: list[slice]) -> NDArray[np.float32]:
        taken = [(self._rows.symbol[part.start], part) for part in parts if part.stop > part.start]
        return np.concatenate([self._data.panel.rows[s].features[self._rows.position[part]] for s, part in taken])

    def _features(self, fold: int) -> NDArray[np.bool_]:
        """Return what each label column may use in a fold, as ridge may: chosen on its training rows."""
        chosen = self._allowed
        if (chosen.sum(1) > self._top_m).any():
            pool = self._data.sums.moments(0, self._block(fold)).pooled()
            chosen = select(pool, self._data.owner, chosen, self._top_m)
        return chosen[self._data.owner]

    def _positions(self, symbol: int) -> NDArray[np.intp]:
        """Return the rows of a symbol that may train."""
        return np.flatnonzero(labelled(self._data.panel.rows[symbol], self._data.group))[:: self._step]

    def _usable_from(self, symbol: int, positions: NDArray[np.intp]) -> NDArray[np.int16]:
        ends = self._data.panel.rows[symbol].label_end[positions, self._data.group.horizon_index]
        return self._split.usable_from(ends)

    def _tree_rows(self, *taken: tuple[int, NDArray[np.intp]]) -> TreeRows:
        """Bin rows of symbols, given as (symbol, positions)."""
        rows = self._data.panel.rows
        index = np.concatenate([self._data.columns.of(t) for t in self._data.group.targets])
        labels = [self._data.columns.encode(rows[s].targets[at])[:, index] for s, at in taken]
        return TreeRows(
            dataset=self._data.bins.binned(np.concatenate([rows[s].features[at] for s, at in taken])),
            labels=clipped(np.concatenate(labels)),
            symbol=np.concatenate([np.full(len(at), s) for s, at in taken]),
            usable_from=np.concatenate([self._usable_from(s, at) for s, at in taken]),
            rows_per_window=-(-self._data.horizon_bars // self._step),
        )

    @cached_property
    def _pool(self) -> tuple[TreeRows, Floats]:
        """The rows that some fold's pooled model trains on, and their numbers in the draw."""
        positions = [self._positions(s) for s in range(self._rows.n_symbols)]
        usable_from = np.concatenate([self._usable_from(s, at) for s, at in enumerate(positions)])
        number = np.random.default_rng(_SEED).random(len(usable_from))
        kept = np.zeros(len(number), np.bool_)
        for fold in range(self._rows.n_folds):
            kept[drawn(number, np.flatnonzero(usable_from <= self._block(fold)))] = True
        by_symbol = np.split(kept, np.cumsum([len(at) for at in positions])[:-1])
        taken = [(s, at[own]) for s, (at, own) in enumerate(zip(positions, by_symbol, strict=True))]
        return self._tree_rows(*taken), number[kept]
