"""Blend, pooled and local models compared on the rows of the holdout whose label is known.

1. Scores are those of training: concordance within each symbol, their mean weighted by effective pairs (pairs per row).
2. Intervals come from blocks of whole dates (`trainroute.metrics.intervals`): one set of blocks for all symbols and
   all kinds of predictions of a target, so that differences are paired.
3. Nothing is chosen here: predictions stay the plan's, so that the holdout remains untouched by decisions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from trainroute.errors import DataError
from trainroute.metrics import (
    MIN_BLOCKS,
    assign_time_blocks,
    block_length,
    block_totals,
    degrees_of_freedom,
    interval,
    standard_errors,
    task_concordance,
)
from trainroute.panel.columns import TargetColumn
from trainroute.panel.repairs import Repairs
from trainroute.panel.targets import label_end, target_values
from trainroute.records.predictions import BlendScores, SideScore, TargetEvaluation
from trainroute.records.results import Interval
from trainroute.records.vocabulary import Task
from trainroute.serving.rows import AskedRows

Floats = NDArray[np.float64]
_LEVEL = 0.95
ROUTED, POOLED, LOCAL = "routed", "pooled", "local"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The labelled holdout rows of one symbol."""

    symbol: str
    time: NDArray[np.int64]
    label: NDArray[np.float32]
    predictions: Mapping[str, Floats]


@dataclass(kw_only=True)
class TargetEvaluator:
    """Gathers the predictions of one target, symbol by symbol, and scores them.

    Parameters
    ----------
    column : TargetColumn
        How the target is made from the data.
    interval_us : int
        Between bars.
    holdout_start : int
        Rows before it were seen in training and are not scored (µs UTC).
    """

    column: TargetColumn
    interval_us: int
    holdout_start: int
    task: Task = Task.REGRESSION
    classes: tuple[float, ...] = ()
    _parts: list[_Part] = field(default_factory=list)
    _spans: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, rows: AskedRows, task: Task, classes: tuple[float, ...], predictions: Mapping[str, Floats]) -> None:
        """Take the predictions of one symbol in: ``routed``, and ``pooled`` and ``local`` where it has both.

        Raises
        ------
        DataError
            If the labels hold a class that the models do not know.
        """
        self.task, self.classes = task, classes
        label = target_values(rows.frame, self.column, Repairs())[rows.first :]
        known = ~np.isnan(label) & (rows.time >= self.holdout_start)
        known &= np.isfinite(predictions[ROUTED].reshape(len(label), -1)).all(axis=1)
        stray = np.setdiff1d(label[~np.isnan(label)], np.array(classes, dtype=np.float32)) if classes else label[:0]
        if len(stray):
            raise DataError(
                f"column {self.column.source!r} of symbol {rows.frame.symbol!r} holds {stray[0]:g} in target "
                f"{self.column.name!r}; the models know the classes {', '.join(f'{value:g}' for value in classes)}"
            )
        end = label_end(rows.frame, self.column, self.interval_us)[rows.first :]
        self._spans.append(np.searchsorted(rows.time, end) - np.arange(len(end)))
        chosen = {name: values[known] for name, values in predictions.items()}
        self._parts.append(
            _Part(symbol=rows.frame.symbol, time=rows.time[known], label=label[known], predictions=chosen)
        )

    def result(self) -> TargetEvaluation:
        """Score what was taken in."""
        spans = np.concatenate(self._spans) if self._spans else np.ones(1)
        horizon = max(1, int(np.median(spans)))
        everything = _Scored(self, self._parts, ROUTED, horizon)
        blended = [part for part in self._parts if LOCAL in part.predictions]
        return TargetEvaluation(
            target=self.column.name,
            task=self.task,
            rows=sum(len(part.label) for part in self._parts),
            routed=everything.of(ROUTED),
            both=self._both(blended, horizon) if blended else None,
        )

    def _both(self, parts: list[_Part], horizon: int) -> BlendScores:
        scored = _Scored(self, parts, ROUTED, horizon)
        return BlendScores(
            symbols=len(parts),
            rows=sum(len(part.label) for part in parts),
            blend=scored.of(ROUTED),
            pooled=scored.of(POOLED),
            local=scored.of(LOCAL),
            blend_minus_pooled=scored.difference(ROUTED, POOLED),
            blend_minus_local=scored.difference(ROUTED, LOCAL),
        )


class _Scored:
    """Scores of several kinds of predictions on the same rows; blocks of dates by the first kind's influence."""

    def __init__(self, evaluator: TargetEvaluator, parts: list[_Part], first: str, horizon: int) -> None:
        self._symbols = [part.symbol for part in parts]
        self._classes = evaluator.classes if evaluator.task is Task.MULTICLASS else ()
        self._parts = parts
        sizes = [len(part.label) for part in parts]
        self._group = np.repeat(np.arange(len(parts)), sizes)
        self._label = np.concatenate([part.label for part in parts]) if parts else np.empty(0, np.float32)
        times = np.concatenate([part.time for part in parts]) if parts else np.empty(0, np.int64)
        self._n_dates, self._date = _numbered(times)
        self._block, self._n_blocks = np.zeros(len(times), np.int64), 0
        _, _, influence = self._measured(first)
        if len(times):
            by_date = np.bincount(self._date, weights=influence, minlength=self._n_dates)
            blocks = assign_time_blocks(self._n_dates, block_length(by_date, horizon))
            self._block, self._n_blocks = blocks[self._date], int(blocks[-1]) + 1

    def of(self, kind: str) -> SideScore:
        """Return the score of one kind of predictions."""
        score, symbols, _ = self._measured(kind)
        found = interval(score, self._totals(kind), _LEVEL) if self._n_blocks and math.isfinite(score) else None
        return SideScore(
            score=_known(score),
            low=None if found is None else _known(found.low),
            high=None if found is None else _known(found.high),
            symbols={symbol: _known(own) for symbol, own in zip(self._symbols, symbols, strict=True)},
        )

    def difference(self, one: str, other: str) -> Interval | None:
        """Return the paired difference of two scores with its interval."""
        gap = self._measured(one)[0] - self._measured(other)[0]
        if not math.isfinite(gap):
            return None
        totals = (self._totals(one) - self._totals(other))[None]
        se, degrees = float(standard_errors(totals)[0]), float(degrees_of_freedom(totals)[0])
        reach = se * float(stdtrit(degrees, 0.5 + _LEVEL / 2))
        if np.count_nonzero(totals) < MIN_BLOCKS or not math.isfinite(reach):
            return Interval(estimate=gap)
        return Interval(estimate=gap, low=gap - reach, high=gap + reach)

    def _measured(self, kind: str) -> tuple[float, Floats, Floats]:
        """Return the score, that of each symbol, and the influence of each row on the first."""
        if not len(self._label):
            return math.nan, np.full(len(self._parts), np.nan), np.empty(0)
        prediction = np.concatenate([part.predictions[kind] for part in self._parts])
        found = task_concordance(prediction, self._label, self._group, len(self._parts), classes=self._classes)
        weight = found.pairs / np.maximum(found.rows, 1)
        if not weight.any():
            return math.nan, found.score, np.zeros(len(self._label))
        share = weight / weight.sum()
        score = float(np.average(np.nan_to_num(found.score), weights=weight))
        return score, found.score, found.influence * share[self._group]

    def _totals(self, kind: str) -> Floats:
        totals: Floats = block_totals(self._measured(kind)[2], self._block, self._n_blocks)[0]
        return totals


def _numbered(times: NDArray[np.int64]) -> tuple[int, NDArray[np.intp]]:
    dates, number = np.unique(times, return_inverse=True)
    return len(dates), number


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
