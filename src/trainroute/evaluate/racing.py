"""The race of probes: what the rows of other folds have settled gets no more compute, what they have not gets more.

For one target and one side (pooled or local), at fold k, from the rows of the other folds:

1. Ridge is clearly strong: its mean concordance less 2 standard errors is at least ``STRONG``, and so clearly pooled
   that the kind of probe decides nothing: the paired difference local − pooled plus 1 standard error is below 0. Trees
   are not used.
2. Trees are clearly nothing: their mean plus 1 standard error is below ``NOTHING``; or clearly no better than ridge: so
   is the paired difference below 0. Trees are not used. They are first tried on every second fold, the local ones on a
   sample of symbols; only where the answer is open for some fold, all folds and symbols follow.
3. Else both compete, and fold k gets the predictions of the probe that was better on the folds *before* k (`choose`).

So no fold has a say in whose predictions it is scored by. On noise each fold's score keeps the expectation one half,
and as the choice looks back only, scores of different folds stay uncorrelated: intervals and paired differences that
are computed from the mixed predictions hold as they stand.

References
----------
Dawid (1984), Statistical theory: the prequential approach, JRSS A 147.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.statistics import Floats
from trainroute.evaluate.walk import TestRows
from trainroute.metrics import (
    assign_time_blocks,
    block_length,
    block_totals,
    standard_errors,
    task_concordance,
)
from trainroute.panel import Target

STRONG = 0.55
NOTHING = 0.515
_STRONG_ERRORS = 2.0
_NOTHING_ERRORS = 1.0
_POOLED_ERRORS = 1.0
SAMPLE_SYMBOLS = 8
SAMPLE_SHARE = 16


@dataclass(frozen=True, kw_only=True)
class Record:
    """How one probe did on each fold.

    Attributes
    ----------
    score : ndarray of shape (n_folds,)
        Concordance within (symbol, fold), averaged by effective pairs over symbols; 0 where there are none.
    weight : ndarray of shape (n_folds,)
    totals : ndarray of shape (n_times,)
        Influence on the weighted mean over folds, summed over the rows of each timestamp that has any.
    horizon_steps : int
        How many of the panel's timestamps a label spans.
    """

    score: Floats
    weight: Floats
    totals: Floats
    horizon_steps: int

    def minus(self, other: "Record") -> "Record":
        """Return the paired difference to another probe on the same rows."""
        return Record(
            score=self.score - other.score,
            weight=self.weight,
            totals=self.totals - other.totals,
            horizon_steps=self.horizon_steps,
        )

    def without_each(self) -> tuple[Floats, Floats]:
        """For each fold, the mean over the *other* folds and its standard error; NaN where unknown."""
        total = self.weight.sum()
        other = np.where(total - self.weight > 0, total - self.weight, np.nan)
        mean = (self.score @ self.weight - self.score * self.weight) / other
        return mean, self._standard_error() * np.sqrt(total / other)

    def _standard_error(self) -> float:
        if len(self.totals) == 0:
            return float("nan")
        block = assign_time_blocks(len(self.totals), block_length(self.totals, self.horizon_steps))
        n_folds = int(np.count_nonzero(self.weight))
        return float(standard_errors(block_totals(self.totals, block, int(block[-1]) + 1), n_folds=n_folds)[0])


def record(
    target: Target,
    prediction: NDArray[np.float32],
    outcome: Floats,
    rows: TestRows,
    used: NDArray[np.bool_],
    horizon_steps: int,
) -> Record:
    """Measure a probe on a part of the test rows.

    Parameters
    ----------
    prediction : ndarray of shape (n_rows, n_columns of the target)
    outcome : ndarray of shape (n_rows,)
    used : ndarray of shape (n_symbols, n_folds), bool
        The (symbol, fold) that count.
    """
    here = np.flatnonzero(used.ravel()[rows.cell])
    cell = rows.cell[here]
    found = task_concordance(prediction[here], outcome[here], cell, used.size, classes=target.classes)
    weight = np.divide(found.pairs, found.rows, out=np.zeros_like(found.pairs), where=found.rows > 0)
    by_fold = weight.reshape(used.shape).sum(0)
    summed = (np.nan_to_num(found.score) * weight).reshape(used.shape).sum(0)
    influence = found.influence * (weight / max(weight.sum(), 1e-12))[cell]
    time = np.unique(rows.time[here], return_inverse=True)[1]
    return Record(
        score=np.divide(summed, by_fold, out=np.zeros_like(summed), where=by_fold > 0),
        weight=by_fold,
        totals=np.bincount(time, weights=influence).astype(np.float64),
        horizon_steps=horizon_steps,
    )


def clearly_strong(ridge: Record) -> NDArray[np.bool_]:
    """Whether the other folds settle, for each fold, that ridge alone is strong."""
    mean, error = ridge.without_each()
    strong: NDArray[np.bool_] = mean - _STRONG_ERRORS * error >= STRONG
    return strong


def clearly_pooled(local: Record, pooled: Record) -> NDArray[np.bool_]:
    """Whether the other folds settle, for each fold, that local ridge does worse than pooled ridge on the same rows."""
    difference, error = local.minus(pooled).without_each()
    pooled_wins: NDArray[np.bool_] = difference + _POOLED_ERRORS * error < 0
    return pooled_wins


def clearly_nothing(trees: Record, ridge: Record) -> NDArray[np.bool_]:
    """Whether the other folds settle, for each fold, that trees find nothing, or nothing that ridge does not."""
    (mean, error), (gain, gain_error) = trees.without_each(), trees.minus(ridge).without_each()
    nothing: NDArray[np.bool_] = mean + _NOTHING_ERRORS * error < NOTHING
    return nothing | (gain + _NOTHING_ERRORS * gain_error < 0)


def choose(trees: Record, ridge: Record) -> NDArray[np.bool_]:
    """Whether trees were better than ridge, for each fold, on the folds before it; ridge where there are none."""
    gain = np.cumsum((trees.score - ridge.score) * ridge.weight)
    return np.concatenate([[False], np.round(gain[:-1], 6) > 0])


def first_folds(n_folds: int) -> NDArray[np.bool_]:
    """Return the folds that trees are tried on first: every second one after the warm-up, the last among them."""
    fold = np.arange(n_folds)
    first: NDArray[np.bool_] = ((fold - n_folds) % 2 == 1) & (fold > 0)
    return first


def sample_symbols(n_symbols: int) -> NDArray[np.bool_]:
    """Return the evenly spaced symbols that local trees are tried on first: 8, or one in 16 if that is more."""
    size = min(n_symbols, max(SAMPLE_SYMBOLS, n_symbols // SAMPLE_SHARE))
    chosen = np.zeros(n_symbols, np.bool_)
    chosen[np.arange(size) * n_symbols // size] = True
    return chosen
