"""Numbers that a linear model can read: features on one robust scale, labels as columns.

The scale is taken from the first training blocks only (no look-ahead): per feature the median and the interquartile
range over all symbols' rows before the first test block. A feature that has no values there takes its earliest rows
that have: every earlier row is missing and becomes 0 anyway. Values are clipped at ±8 scales, so that one bad tick
cannot move a Gram matrix; a missing value becomes 0, the reference median.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainroute.panel import Panel, SymbolRows, Target
from trainroute.parallel import in_threads
from trainroute.records.vocabulary import Task

Values = Callable[[SymbolRows], NDArray[np.float32]]

_CLIP = 8.0
_NORMAL_IQR = 1.349
_REFERENCE_ROWS = 200_000
_MIN_REFERENCE_VALUES = 50


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Centre and spread per column, each an ndarray of shape (n_columns,), float32."""

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return clipped robust z-scores; missing values stay NaN."""
        scaled: NDArray[np.float32] = values - self.centre
        scaled /= self.spread
        return np.clip(scaled, -_CLIP, _CLIP, out=scaled)


@dataclass(frozen=True, kw_only=True)
class LabelColumns:
    """Which target each label column belongs to.

    One column for a binary target (1 = the higher class) or a regression target (robust z-score), one per class for a
    multiclass target (indicators).
    """

    targets: tuple[Target, ...]
    scale: Scale

    @cached_property
    def owner(self) -> NDArray[np.intp]:
        """Position of each column's target, shape (n_columns,)."""
        widths = [len(t.classes) if t.task is Task.MULTICLASS else 1 for t in self.targets]
        return np.repeat(np.arange(len(self.targets)), widths)

    def of(self, target: int) -> NDArray[np.intp]:
        """Return the columns of one target."""
        return np.flatnonzero(self.owner == target)

    def encode(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Encode raw labels of shape (n_rows, n_targets); NaN stays NaN."""
        scaled = self.scale.apply(labels)
        return np.concatenate([_encoded(t, labels[:, [i]], scaled[:, [i]]) for i, t in enumerate(self.targets)], axis=1)


def _encoded(target: Target, raw: NDArray[np.float32], scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    if target.task is Task.REGRESSION:
        return scaled
    classes = target.classes if target.task is Task.MULTICLASS else target.classes[1:]
    return np.where(np.isnan(raw), np.nan, raw == np.asarray(classes, np.float32)).astype(np.float32)


def feature_scale(panel: Panel, before: int) -> Scale:
    """Return the scale of the features, from rows whose timestamp (µs) is below ``before``."""
    return _reference(panel, before, lambda rows: rows.features, len(panel.features))


def label_columns(panel: Panel, before: int) -> LabelColumns:
    """Return how labels become columns, with the scale of regression targets from rows before ``before`` (µs)."""
    horizon = [target.horizon_index for target in panel.targets]

    def ended(rows: SymbolRows) -> NDArray[np.float32]:
        return np.where(rows.label_end[:, horizon] < before, rows.targets, np.float32(np.nan))

    scale = _reference(panel, before, ended, len(panel.targets))
    return LabelColumns(targets=panel.targets, scale=scale)


def standardised(rows: SymbolRows, scale: Scale, at: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
    """Return clipped z-scores of the features, 0 for missing, of all rows of a symbol or of those ``at`` positions."""
    scaled = scale.apply(rows.features if at is None else rows.features[at])
    np.copyto(scaled, 0.0, where=np.isnan(scaled))
    return scaled


def _reference(panel: Panel, before: int, values_of: Values, n_columns: int) -> Scale:
    stride = max(1, panel.n_rows // _REFERENCE_ROWS)
    cut = int(np.searchsorted(panel.timestamps, before))
    parts = [values_of(rows)[: np.searchsorted(rows.time_index, cut)][::stride] for rows in panel.rows]
    values = np.ascontiguousarray(np.concatenate(parts).T) if parts else np.empty((n_columns, 0), np.float32)

    def of(column: int) -> tuple[float, float]:
        known = values[column][~np.isnan(values[column])]
        return _centre_and_spread(known if len(known) >= _MIN_REFERENCE_VALUES else _earliest(panel, values_of, column))

    found = np.array(in_threads(of, range(n_columns)), np.float32).reshape(n_columns, 2)
    return Scale(centre=found[:, 0].copy(), spread=found[:, 1].copy())


def _earliest(panel: Panel, values_of: Values, column: int) -> NDArray[np.float32]:
    """Return the first values of a column in time, over all symbols."""
    values, times = [], []
    for rows in panel.rows:
        own = values_of(rows)[:, column]
        first = np.flatnonzero(~np.isnan(own))[:_MIN_REFERENCE_VALUES]
        values.append(own[first])
        times.append(rows.time_index[first])
    order = np.argsort(np.concatenate(times), kind="stable")[:_MIN_REFERENCE_VALUES]
    return np.concatenate(values)[order]


def _centre_and_spread(known: NDArray[np.float32]) -> tuple[float, float]:
    if len(known) == 0:
        return 0.0, 1.0
    low, middle, high = np.quantile(known.astype(np.float64), [0.25, 0.5, 0.75])
    spread = (high - low) / _NORMAL_IQR or float(np.std(known, dtype=np.float64))
    return float(middle), float(spread) or 1.0
