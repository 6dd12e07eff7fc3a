"""From predictions to scores with honest errors, for one target.

1. Concordance within each (symbol, fold); a symbol's score weights its folds by effective pairs.
2. The influence of each row on its symbol's score, summed over blocks of whole dates: one set of blocks for all
   symbols.
3. Standard errors, intervals and the error common to all symbols come from these block totals; so does the paired
   difference between local and pooled, on the folds that have both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.statistics import Floats
from trainroute.evaluate.walk import TestRows
from trainroute.metrics import (
    GroupedConcordance,
    Interval,
    assign_time_blocks,
    block_length,
    block_totals,
    common_standard_error,
    degrees_of_freedom,
    interval,
    intervals,
    standard_errors,
    task_concordance,
)
from trainroute.panel import Target


@dataclass(frozen=True, kw_only=True)
class SideScores:
    """One quantity per symbol, with its errors.

    Attributes
    ----------
    value, se : ndarray of shape (n_symbols,)
        NaN where a symbol has no comparable pair.
    totals : ndarray of shape (n_symbols, n_blocks)
        Influence summed over blocks of whole dates.
    degrees : ndarray of shape (n_symbols,)
        Degrees of freedom of ``se``.
    common_se : float
        Standard error that all symbols share.
    """

    value: Floats
    se: Floats
    totals: Floats
    degrees: Floats
    common_se: float

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Whether a symbol's value has an error: no error, or one of 0, is no evidence."""
        known: NDArray[np.bool_] = np.isfinite(self.value) & np.isfinite(self.se) & (self.se > 0)
        return known

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Whether a symbol has a value that nothing influences: its predictions do not vary, which is no skill."""
        still: NDArray[np.bool_] = np.isfinite(self.value) & ~self.totals.any(1)
        return still


@dataclass(frozen=True, kw_only=True)
class TargetScores:
    """All scores of one target from the linear probes.

    ``weight`` is each symbol's share in the pooled score: its effective pairs. ``within_date`` is the concordance over
    pairs of symbols on one date, NaN for a single symbol.
    """

    pooled: SideScores
    local: SideScores
    difference: SideScores
    local_intervals: tuple[Interval, ...]
    weight: Floats
    score: float
    score_interval: Interval
    score_degrees: float
    within_date: float

    @property
    def pooled_measured(self) -> bool:
        """Whether the pooled score has an error: no error, or one of 0, is no evidence."""
        se = self.score_interval.se
        return bool(np.isfinite(self.score) and np.isfinite(se) and se > 0)


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Concordance per (symbol, fold), and the weights that add cells up to symbols."""

    result: GroupedConcordance
    weight: Floats


def score_target(
    target: Target,
    outcome: Floats | NDArray[np.float32],
    rows: TestRows,
    pooled: NDArray[np.float32],
    local: NDArray[np.float32],
    local_trained: NDArray[np.bool_],
    horizon_steps: int,
) -> TargetScores:
    """Score one target.

    Parameters
    ----------
    outcome : ndarray of shape (n_rows,)
        Raw labels of the test rows.
    pooled, local : ndarray of shape (n_rows, n_columns of the target)
    local_trained : ndarray of shape (n_symbols, n_folds)
    horizon_steps : int
        How many positions of ``Panel.timestamps`` a label spans.
    """
    outcome = outcome.astype(np.float32)  # as the panel holds labels: nothing is lost, and they are sorted sooner
    cs = _cells(target, pooled, outcome, rows)
    own = _cells(target, local, outcome, rows, local_trained)
    shared = _Cells(result=cs.result, weight=own.weight)
    cs_influence, own_influence = _influence(cs, rows), _influence(own, rows)
    time_block, n_blocks = _time_blocks(cs_influence, rows, horizon_steps)

    def side(values: Floats, influence: Floats, weight: Floats) -> SideScores:
        totals = block_totals(influence, time_block, n_blocks, rows.symbol, rows.n_symbols)
        return SideScores(
            value=values,
            se=standard_errors(totals, n_folds=rows.n_folds),
            totals=totals,
            degrees=degrees_of_freedom(totals, n_folds=rows.n_folds),
            common_se=common_standard_error(totals, weight, n_folds=rows.n_folds),
        )

    weight, own_weight = cs.weight.sum(1), own.weight.sum(1)
    pooled_side = side(_by_symbol(cs), cs_influence, weight)
    local_side = side(_by_symbol(own), own_influence, own_weight)
    gap = side(_by_symbol(own) - _by_symbol(shared), own_influence - _influence(shared, rows), own_weight)
    score = _weighted_mean(pooled_side.value, weight)
    share = weight / weight.sum() if weight.sum() > 0 else weight
    return TargetScores(
        pooled=pooled_side,
        local=local_side,
        difference=gap,
        local_intervals=intervals(local_side.value, local_side.totals, n_folds=rows.n_folds),
        weight=weight,
        score=score,
        score_interval=interval(score, share @ pooled_side.totals, n_folds=rows.n_folds),
        score_degrees=float(degrees_of_freedom((share @ pooled_side.totals)[None], n_folds=rows.n_folds)[0]),
        within_date=_within_date(target, pooled, outcome, rows),
    )


def _cells(
    target: Target,
    prediction: NDArray[np.float32],
    outcome: NDArray[np.float32],
    rows: TestRows,
    valid: NDArray[np.bool_] | None = None,
) -> _Cells:
    result = task_concordance(prediction, outcome, rows.cell, rows.n_symbols * rows.n_folds, classes=target.classes)
    weight = np.divide(result.pairs, result.rows, out=np.zeros_like(result.pairs), where=result.rows > 0)
    weight = weight.reshape(rows.n_symbols, rows.n_folds)
    return _Cells(result=result, weight=weight if valid is None else np.where(valid, weight, 0.0))


def _by_symbol(cells: _Cells) -> Floats:
    score = np.nan_to_num(cells.result.score).reshape(cells.weight.shape)
    total = cells.weight.sum(1)
    summed = (score * cells.weight).sum(1)
    mean: Floats = np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)
    return mean


def _influence(cells: _Cells, rows: TestRows) -> Floats:
    """Influence of each row on its symbol's score."""
    total = cells.weight.sum(1, keepdims=True)
    share = np.divide(cells.weight, total, out=np.zeros_like(cells.weight), where=total > 0)
    influence: Floats = cells.result.influence * share.ravel()[rows.cell]
    return influence


def _time_blocks(influence: Floats, rows: TestRows, horizon_steps: int) -> tuple[NDArray[np.int64], int]:
    if len(rows.time) == 0:
        return np.empty(0, np.int64), 0
    first, last = int(rows.time.min()), int(rows.time.max())
    n_times = last - first + 1
    by_time = np.bincount(rows.time - first, weights=influence, minlength=n_times)
    blocks = assign_time_blocks(n_times, block_length(by_time, horizon_steps))
    return blocks[rows.time - first], int(blocks[-1]) + 1


def _weighted_mean(values: Floats, weight: Floats) -> float:
    known = np.isfinite(values) & (weight > 0)
    return float(np.average(values[known], weights=weight[known])) if known.any() else float("nan")


def _within_date(
    target: Target, prediction: NDArray[np.float32], outcome: NDArray[np.float32], rows: TestRows
) -> float:
    if rows.n_symbols < 2 or len(rows.time) == 0:  # noqa: PLR2004 - a pair of symbols
        return float("nan")
    order, date, n_dates = rows.by_date
    result = task_concordance(prediction[order], outcome[order], date, n_dates, classes=target.classes)
    weight = np.divide(result.pairs, result.rows, out=np.zeros_like(result.pairs), where=result.rows > 0)
    return _weighted_mean(result.score, weight)
