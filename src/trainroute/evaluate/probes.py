"""Out-of-sample predictions of each target's probes, pooled and local: ridge, and trees where the race lets them.

1. Ridge predicts every test fold, and before them the last block that only trains: a warm-up on which probes are
   compared and nothing is scored.
2. Trees predict the folds and symbols that the race (`racing`) asks for.
3. Per target and side every fold gets the predictions of one probe, chosen on earlier folds.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.evidence import TreeUse
from trainroute.evaluate.inputs import GroupInput
from trainroute.evaluate.racing import (
    Record,
    choose,
    clearly_nothing,
    clearly_pooled,
    clearly_strong,
    first_folds,
    record,
    sample_symbols,
)
from trainroute.evaluate.statistics import Floats
from trainroute.evaluate.tree_walk import TreeWalk
from trainroute.evaluate.walk import Predictions, TestRows, fit_folds, predict, test_rows
from trainroute.parallel import in_threads


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The predictions that are scored.

    Attributes
    ----------
    rows : TestRows
    outcomes : tuple of ndarray of shape (n_rows,)
        Raw labels per target; NaN throughout for one that has no safe feature, which leaves it unmeasured.
    predictions : Predictions
    trees : tuple of TreeUse
        Per target what trees were tried and used.
    """

    rows: TestRows
    outcomes: tuple[Floats, ...]
    predictions: Predictions
    trees: tuple[TreeUse, ...]


def probe(data: GroupInput, allowed: NDArray[np.bool_], top_m: int, *, trees: NDArray[np.bool_] | bool) -> Probed:
    """Predict the test folds for every target of a group.

    Parameters
    ----------
    allowed : ndarray of shape (n_targets, n_features), bool
        Features that passed the leak checks.
    top_m : int
        At most this many of them are used in a fold.
    trees : bool or ndarray of shape (n_targets,), bool
        Whether trees may compete, for all targets or for each.
    """
    may_race = np.broadcast_to(trees, len(data.targets))
    raced = bool(may_race.any())
    split = replace(data.split, first_test=data.split.first_test - 1) if raced else data.split
    rows = test_rows(data.panel, data.group, split)
    outcomes = tuple(data.outcome(rows, i) for i in range(len(data.targets)))
    for target in np.flatnonzero(~allowed.any(1)).tolist():
        outcomes[target][:] = np.nan  # no safe feature: nothing is measured, instead of a score of one half
    fits = fit_folds(data.sums, split, data.owner, allowed, top_m, data.horizon_bars)
    predictions = predict(data.panel, rows, data.scale, fits)
    if not raced:
        return Probed(rows=rows, outcomes=outcomes, predictions=predictions, trees=(TreeUse(),) * len(data.targets))
    race = _Race(data, rows, outcomes, predictions, TreeWalk(data, rows, split, allowed, top_m))
    race.run(may_race)
    scored = rows.fold > 0
    return Probed(
        rows=_without_warm_up(rows),
        outcomes=tuple(outcome[scored] for outcome in outcomes),
        predictions=Predictions(
            pooled=predictions.pooled[scored],
            local=predictions.local[scored],
            local_trained=predictions.local_trained[:, 1:],
        ),
        trees=tuple(race.use(i) for i in range(len(data.targets))),
    )


class _Race:
    """The race in one group."""

    def __init__(
        self,
        data: GroupInput,
        rows: TestRows,
        outcomes: tuple[Floats, ...],
        ridge: Predictions,
        trees: TreeWalk,
    ) -> None:
        self.data = data
        self.rows = rows
        self.outcomes = outcomes
        self.ridge = ridge
        self.trees = trees
        self.first = first_folds(rows.n_folds)
        self.everywhere = np.ones((rows.n_symbols, rows.n_folds), np.bool_)
        self.pooled_taken = np.zeros((len(outcomes), rows.n_folds), np.bool_)
        self.local_taken = np.zeros_like(self.pooled_taken)

    def run(self, may_race: NDArray[np.bool_]) -> None:
        """Race the targets that may; replace ridge's predictions where trees were chosen."""
        targets = range(len(self.outcomes))
        trained = self.ridge.local_trained
        pooled = in_threads(lambda i: self._record(i, self.ridge.pooled, self.everywhere), targets)
        local = in_threads(lambda i: self._record(i, self.ridge.local, trained), targets)
        beside = in_threads(lambda i: self._record(i, self.ridge.pooled, trained), targets)
        strong = np.stack(
            [
                (clearly_strong(p) | clearly_strong(q)) & clearly_pooled(q, r)
                for p, q, r in zip(pooled, local, beside, strict=True)
            ]
        )
        measurable = np.array([np.isfinite(outcome).any() for outcome in self.outcomes])
        entered = may_race & measurable & ~strong.all(1)
        self._compete_pooled(entered, strong, pooled)
        self._compete_local(entered, strong, local)

    def use(self, target: int) -> TreeUse:
        """Tell what trees a target was given; the warm-up is not scored and not counted."""
        own = self.data.owner == target
        return TreeUse(
            models=int(self.trees.models[own].sum()),
            models_without_race=int(own.sum()) * (self.rows.n_folds + int(self.ridge.local_trained.sum())),
            pooled_folds=int(self.pooled_taken[target, 1:].sum()),
            local_folds=int(self.local_taken[target, 1:].sum()),
        )

    def _compete_pooled(self, entered: NDArray[np.bool_], strong: NDArray[np.bool_], ridge: list[Record]) -> None:
        first = self.everywhere & self.first
        self.trees.predict_pooled(self._columns(entered)[:, None] & self.first)
        nothing = self._nothing(entered, self.ridge.pooled, self.trees.pooled, first)
        going_on = entered & ~nothing.all(1)
        self.trees.predict_pooled(self._columns(going_on)[:, None] & ~self.first)
        for i in np.flatnonzero(going_on).tolist():
            better = choose(self._record(i, self.trees.pooled, self.everywhere), ridge[i])
            self.pooled_taken[i] = better & ~nothing[i] & ~strong[i]
            self._take(i, self.pooled_taken[i], self.ridge.pooled, self.trees.pooled)

    def _compete_local(self, entered: NDArray[np.bool_], strong: NDArray[np.bool_], ridge: list[Record]) -> None:
        trained = self.ridge.local_trained
        sample = trained & self.first & sample_symbols(self.rows.n_symbols)[:, None]
        self.trees.predict_local(self._columns(entered)[:, None, None] & sample)
        nothing = self._nothing(entered, self.ridge.local, self.trees.local, sample)
        going_on = entered & ~nothing.all(1)
        self.trees.predict_local(self._columns(going_on)[:, None, None] & trained & ~sample)
        for i in np.flatnonzero(going_on).tolist():
            better = choose(self._record(i, self.trees.local, trained), ridge[i])
            self.local_taken[i] = better & ~nothing[i] & ~strong[i]
            self._take(i, self.local_taken[i], self.ridge.local, self.trees.local)

    def _columns(self, targets: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return targets[self.data.owner]

    def _nothing(
        self,
        entered: NDArray[np.bool_],
        ridge: NDArray[np.float32],
        trees: NDArray[np.float32],
        used: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Return where trees are clearly nothing, shape (n_targets, n_folds)."""
        nothing = np.ones((len(entered), self.rows.n_folds), np.bool_)
        for i in np.flatnonzero(entered).tolist():
            nothing[i] = clearly_nothing(self._record(i, trees, used), self._record(i, ridge, used))
        return nothing

    def _record(self, target: int, prediction: NDArray[np.float32], used: NDArray[np.bool_]) -> Record:
        own = prediction[:, self.data.owner == target]
        return record(self.data.targets[target], own, self.outcomes[target], self.rows, used, self.data.horizon_steps)

    def _take(
        self, target: int, folds: NDArray[np.bool_], ridge: NDArray[np.float32], trees: NDArray[np.float32]
    ) -> None:
        columns = np.flatnonzero(self.data.owner == target)
        here = np.ix_(np.flatnonzero(folds[self.rows.fold]), columns)
        ridge[here] = trees[here]


def _without_warm_up(rows: TestRows) -> TestRows:
    kept = rows.fold > 0
    return TestRows(
        symbol=rows.symbol[kept],
        fold=rows.fold[kept] - 1,
        time=rows.time[kept],
        position=rows.position[kept],
        n_symbols=rows.n_symbols,
        n_folds=rows.n_folds - 1,
    )
