"""Make targets from the columns that were read: values ahead, thresholds, horizon in bars, end of each label, task."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainroute.errors import ConfigError, DataError
from trainroute.panel.columns import TargetColumn
from trainroute.panel.panel import MICROSECONDS_PER_MINUTE
from trainroute.panel.reading import SymbolFrame
from trainroute.panel.repairs import Repairs
from trainroute.records.vocabulary import Task

THRESHOLD_FRACTION = 0.3
MAX_INFERRED_CLASSES = 10
MAX_CLASSES = 100
BINARY_CLASSES = 2


def target_values(frame: SymbolFrame, target: TargetColumn, repairs: Repairs) -> NDArray[np.float32]:
    """Return the label of each row of one symbol.

    ``shift_bars`` takes the value that many rows ahead. ``above_quantile`` then turns it into 1 where it exceeds that
    quantile of the symbol's own (unmoved) values in the first 30 % of its rows, else 0.

    Returns
    -------
    ndarray of shape (n_rows,), float32
        NaN where there is no label.
    """
    own = frame.sources[target.source]
    ahead = target.settings.shift_bars
    values = np.full_like(own, np.nan)
    values[: max(0, len(own) - ahead)] = own[ahead:]
    quantile = target.settings.above_quantile
    if quantile is None:
        return values
    early = own[: int(np.ceil(THRESHOLD_FRACTION * len(own)))]
    early = early[~np.isnan(early)]
    if not len(early):
        repairs.note(
            f"target {target.name!r} has no labels, for want of values in the first 30 % of rows, in", [frame.symbol]
        )
        return np.full_like(own, np.nan)
    above = (values > np.quantile(early, quantile)).astype(np.float32)
    return np.where(np.isnan(values), np.float32(np.nan), above)


def horizon_us(target: TargetColumn, interval_us: int) -> int:
    """Return the horizon; one given by ``shift_bars`` alone is so many bars."""
    return target.settings.shift_bars * interval_us if target.horizon_us is None else target.horizon_us


def horizon_bars(target: TargetColumn, interval_us: int) -> int:
    """Return the bars that a label spans, rounded up.

    Raises
    ------
    DataError
        If the horizon is shorter than a bar.
    """
    if target.recorded_bars is not None:
        return target.recorded_bars
    length = horizon_us(target, interval_us)
    if length < interval_us:
        own, bar = length / MICROSECONDS_PER_MINUTE, interval_us / MICROSECONDS_PER_MINUTE
        raise DataError(
            f"target {target.name!r}: its horizon of {own:g} minutes is shorter than a bar of {bar:g}; "
            f"give data.targets.{target.name}.horizon, or data.bar_interval"
        )
    return target.settings.shift_bars or -(-length // interval_us)


def label_end(frame: SymbolFrame, target: TargetColumn, interval_us: int) -> NDArray[np.int64]:
    """Return the timestamp of the last bar that each label uses.

    As ``prepare`` recorded it, or ``shift_bars`` bars ahead; else the later of ``ts + horizon`` and the bar
    ``horizon_bars`` rows ahead: five *trading* days span a week. Bars that the data do not reach any more are taken
    to follow the last one without gaps.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        µs, UTC; always after the row's own time.

    Raises
    ------
    DataError
        If a recorded end is not after its row.
    """
    time: NDArray[np.int64] = frame.time
    bars = horizon_bars(target, interval_us)
    beyond = time[-1] + interval_us * np.arange(1, bars + 1)
    ahead: NDArray[np.int64] = np.concatenate([time[bars:], beyond[max(0, bars - len(time)) :]])
    if target.label_end is not None:
        recorded = frame.label_ends[target.label_end]
        known = recorded >= 0
        if np.any(recorded[known] <= time[known]):
            raise DataError(
                f"symbol {frame.symbol!r}: column {target.label_end!r} is not after the row's time; run prepare again"
            )
        return np.where(known, recorded, ahead)
    if target.settings.shift_bars and target.settings.horizon is None:
        return ahead
    return np.maximum(time + horizon_us(target, interval_us), ahead)


class ClassCounter:
    """The distinct values of one target, over all symbols, as far as they matter for its task."""

    def __init__(self, target: TargetColumn) -> None:
        self._target = target
        self._limit = MAX_CLASSES if target.settings.task is not None else MAX_INFERRED_CLASSES
        self._values: set[float] = set()

    def add(self, values: NDArray[np.float32]) -> None:
        """Count one symbol's labels; NaN is none."""
        if len(self._values) <= self._limit:
            self._values.update(np.unique(values[~np.isnan(values)]).tolist())

    def task(self) -> tuple[Task, tuple[float, ...]]:
        """Return the task and the classes (none for regression).

        Two distinct values are binary, three to ten distinct integers multiclass, anything else is regression;
        config may say otherwise.

        Raises
        ------
        DataError
            If there are no labels or all are equal.
        ConfigError
            If config states a task that the values cannot be.
        """
        classes = tuple(sorted(self._values))
        name = self._target.name
        if len(classes) < BINARY_CLASSES:
            what = "has no value in any row" if not classes else f"is {classes[0]:g} in every row that has a value"
            raise DataError(f"target {name!r} (column {self._target.source!r}) {what}; expected labels that differ")
        integers = all(value.is_integer() for value in classes)
        inferred = Task.REGRESSION
        if len(classes) == BINARY_CLASSES:
            inferred = Task.BINARY
        elif len(classes) <= MAX_INFERRED_CLASSES and integers:
            inferred = Task.MULTICLASS
        task = inferred if self._target.settings.task is None else Task(self._target.settings.task)
        if not _fits(task, classes, integers=integers):
            count = f"more than {self._limit}" if len(classes) > self._limit else str(len(classes))
            kind = "integers" if integers else "values"
            raise ConfigError(
                f"data.targets.{name}.task: {task.value} does not fit its {count} distinct {kind}; "
                f"expected 2 values (binary) or 3 to {MAX_CLASSES} integers (multiclass), else regression"
            )
        return task, () if task is Task.REGRESSION else classes


def _fits(task: Task, classes: Sequence[float], *, integers: bool) -> bool:
    if task is Task.BINARY:
        return len(classes) == BINARY_CLASSES
    return task is Task.REGRESSION or (integers and BINARY_CLASSES < len(classes) <= MAX_CLASSES)
