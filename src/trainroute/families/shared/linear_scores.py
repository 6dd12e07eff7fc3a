"""Linear functions of standardised features, with the scale of the labels that they stand for, kept in plain arrays."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainroute.families.shared.scaling import standardised

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LinearScores:
    """One or more linear functions of the same features.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,), float64
        Statistics of the training rows (`column_statistics`).
    weights : ndarray of shape (n_outputs, n_features + 1), float64
        The intercept comes last.
    label_mean, label_scale : float
        A label is ``label_mean + label_scale`` times what is scored.
    """

    mean: Array
    scale: Array
    weights: Array
    label_mean: float = 0.0
    label_scale: float = 1.0

    def in_units_of(self, labels: NDArray[np.float32]) -> "LinearScores":
        """Return the same with labels standing for their distance from their mean in standard deviations."""
        values = labels.astype(np.float64)
        return replace(self, label_mean=float(values.mean()), label_scale=float(values.std()))

    def of(self, features: NDArray[np.float32]) -> Array:
        """Return the outputs of each row, shape (n_rows, n_outputs)."""
        X = standardised(features, self.mean, self.scale)
        # einsum, unlike BLAS, adds up a row in the same order however many rows there are.
        return np.asarray(np.einsum("ij,kj->ik", X, self.weights[:, :-1]) + self.weights[:, -1], dtype=np.float64)

    def as_labels(self, scores: Array) -> Array:
        """Return the labels that scores stand for."""
        return self.label_mean + self.label_scale * scores

    def from_labels(self, labels: NDArray[np.float32]) -> Array:
        """Return the scores that labels stand for."""
        return (labels.astype(np.float64) - self.label_mean) / self.label_scale

    def save(self, path: Path, **more: NDArray[np.generic]) -> None:
        """Write the arrays, and what else a model is made of, as NumPy's npz."""
        label = np.array([self.label_mean, self.label_scale])
        np.savez(path, allow_pickle=False, mean=self.mean, scale=self.scale, weights=self.weights, label=label, **more)


def load_scores(path: Path) -> tuple[LinearScores, dict[str, NDArray[np.generic]]]:
    """Read back the arrays, and what else was written with them."""
    with np.load(path, allow_pickle=False) as arrays:
        more = dict(arrays)
    label_mean, label_scale = more.pop("label").tolist()
    own = {name: more.pop(name) for name in ("mean", "scale", "weights")}
    return LinearScores(**own, label_mean=label_mean, label_scale=label_scale), more
