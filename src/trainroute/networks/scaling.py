"""Inputs and labels on a scale that a network can learn from, by statistics of the training rows alone."""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.errors import TrainingError

LARGEST = 5.0
"""Standardised values and labels are clipped to ± this many standard deviations."""
_ROWS_AT_ONCE = 16_384
_NEGLIGIBLE = 1e-6


class FeatureScaling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How features become inputs; written to JSON as it stands.

    A feature that does not vary in the training rows is no input: what its weight does to another value was never
    learnt. Whether a feature is missing is an input only where the training rows show both.

    Attributes
    ----------
    n_features : int
    values : tuple of int
        Numbers of the features whose values are inputs.
    mean, scale : tuple of float
        Mean and standard deviation of each of them.
    indicated : tuple of int
        Numbers of the features whose absence is an input, 1 where the value is missing.
    """

    n_features: int
    values: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    indicated: tuple[int, ...]

    @property
    def n_inputs(self) -> int:
        """The number of input columns."""
        return len(self.values) + len(self.indicated)

    @property
    def columns(self) -> tuple[tuple[int, int], ...]:
        """For each feature with an input, in order, the columns of its value and of its indicator; -1 for none."""
        values = {feature: column for column, feature in enumerate(self.values)}
        indicated = {feature: column for column, feature in enumerate(self.indicated, start=len(values))}
        return tuple((values.get(number, -1), indicated.get(number, -1)) for number in sorted({*values, *indicated}))

    def inputs(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the inputs of some rows.

        Parameters
        ----------
        features : ndarray of shape (n_rows, n_features)
            NaN where a value is missing.

        Returns
        -------
        ndarray of shape (n_rows, n_inputs), float32
            Standardised values, clipped to ± `LARGEST`, a missing one at the mean (0); then the indicators.

        Raises
        ------
        ValueError
            If the number of features is another one.
        """
        if features.shape[1] != self.n_features:
            raise ValueError(f"{features.shape[1]} features for a scaling of {self.n_features}")
        values, indicated = np.array(self.values, dtype=np.intp), np.array(self.indicated, dtype=np.intp)
        mean, scale = np.array(self.mean), np.array(self.scale)
        inputs = np.empty((len(features), self.n_inputs), dtype=np.float32)
        for part in _parts(len(features)):
            standardised = (features[part][:, values] - mean) / scale
            inputs[part, : len(values)] = np.clip(np.nan_to_num(standardised, nan=0.0), -LARGEST, LARGEST)
            inputs[part, len(values) :] = np.isnan(features[part][:, indicated])
        return inputs


class LabelScaling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mean and standard deviation of the training labels of a regression; written to JSON as it stands."""

    mean: float
    scale: float

    def scaled(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return standardised labels, clipped to ± `LARGEST` so that no single row rules a batch. NaN stays NaN."""
        return np.asarray(np.clip((labels - self.mean) / self.scale, -LARGEST, LARGEST), dtype=np.float32)

    def unscaled(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions on the scale of the labels."""
        return predictions * self.scale + self.mean


def feature_scaling(features: NDArray[np.float32]) -> FeatureScaling:
    """Measure the features of the training rows.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
        NaN where a value is missing; never infinite. Rows of the training part only: never of validation or holdout.

    Raises
    ------
    TrainingError
        If no feature varies.
    """
    n_rows, n_features = features.shape
    count, total, squares = np.zeros(n_features, dtype=np.int64), np.zeros(n_features), np.zeros(n_features)
    for part in _parts(n_rows):
        count += np.count_nonzero(~np.isnan(features[part]), axis=0)
        total += np.nansum(features[part], axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    for part in _parts(n_rows):
        squares += np.nansum((features[part] - mean) ** 2, axis=0)
    scale = np.sqrt(squares / np.maximum(count, 1))
    # Rounding leaves a constant feature with a tiny variance; it must not be blown up to a unit one.
    values = np.flatnonzero(scale > _NEGLIGIBLE * np.maximum(np.abs(mean), 1e-30))
    indicated = np.flatnonzero((count > 0) & (count < n_rows))
    if len(values) + len(indicated) == 0:
        raise TrainingError(f"none of the {n_features} features varies in the {n_rows} training rows")
    return FeatureScaling(
        n_features=n_features,
        values=tuple(values.tolist()),
        mean=tuple(mean[values].tolist()),
        scale=tuple(scale[values].tolist()),
        indicated=tuple(indicated.tolist()),
    )


def label_scaling(labels: NDArray[np.float32]) -> LabelScaling:
    """Measure the labels of the training rows; NaN, of rows that only give context, is left out."""
    known = labels[~np.isnan(labels)].astype(np.float64)
    return LabelScaling(mean=float(known.mean()), scale=float(known.std()) or 1.0)


def _parts(n_rows: int) -> Iterator[slice]:
    """Yield slices of a few rows, so that no step holds the whole panel in float64."""
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        yield slice(start, start + _ROWS_AT_ONCE)
