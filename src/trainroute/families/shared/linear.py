"""A ridge-penalised linear model that reads missing values and keeps its coefficients in plain arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import FitContext, TrainingRows
from trainroute.families.shared.scaling import column_statistics, standardised
from trainroute.records.vocabulary import Task

_MOST_ITERATIONS = 1000


@dataclass(frozen=True, kw_only=True)
class LinearModel:
    """Ridge regression, or logistic regression for classes.

    A missing value stands at the mean of the training rows.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,), float64
        Statistics of the training rows.
    coefficients : ndarray of shape (n_features, n_outputs), float64
        One output for regression and binary targets, one per class for multiclass.
    intercept : ndarray of shape (n_outputs,), float64
    task : Task
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]
    task: Task

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return values of shape (n_rows,), or class probabilities of shape (n_rows, n_classes)."""
        from scipy.special import expit, softmax  # noqa: PLC0415 - heavy library

        output = standardised(features, self.mean, self.scale) @ self.coefficients + self.intercept
        if self.task is Task.MULTICLASS:
            return np.asarray(softmax(output, axis=1), dtype=np.float64)
        return np.asarray(expit(output[:, 0]) if self.task is Task.BINARY else output[:, 0], dtype=np.float64)

    def save(self, path: Path) -> None:
        """Write the arrays as NumPy's npz."""
        np.savez(
            path,
            allow_pickle=False,
            mean=self.mean,
            scale=self.scale,
            coefficients=self.coefficients,
            intercept=self.intercept,
        )


def load_linear(path: Path, task: Task) -> LinearModel:
    """Read back the arrays."""
    with np.load(path, allow_pickle=False) as arrays:
        return LinearModel(
            mean=arrays["mean"],
            scale=arrays["scale"],
            coefficients=arrays["coefficients"],
            intercept=arrays["intercept"],
            task=task,
        )


def fit_linear(
    rows: TrainingRows, *, context: FitContext, penalty: float, weights: NDArray[np.float64] | None = None
) -> LinearModel:
    """Fit by ridge or logistic regression.

    Parameters
    ----------
    penalty : float
        Weight of the squared coefficients per training row, on standardised features.
    weights : ndarray of shape (n_rows,), optional
        How much each row counts; 1 if left out.
    """
    import sklearn.linear_model  # noqa: F401, PLC0415 - the limit reaches only libraries that are loaded
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - heavy library

    mean, scale = column_statistics(rows.features)
    with threadpool_limits(limits=context.threads):
        X = standardised(rows.features, mean, scale)
        total = float(len(rows) if weights is None else weights.sum())
        coefficients, intercept = _solve(X, rows.labels, weights, penalty * total, context)
    return LinearModel(mean=mean, scale=scale, coefficients=coefficients, intercept=intercept, task=context.task)


def _solve(
    X: NDArray[np.float64],
    labels: NDArray[np.float32],
    weights: NDArray[np.float64] | None,
    penalty: float,
    context: FitContext,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415 - heavy library

    if context.task is Task.REGRESSION:
        ridge = Ridge(alpha=penalty, solver="cholesky").fit(X, labels.astype(np.float64), weights)
        return ridge.coef_.reshape(-1, 1), np.array([ridge.intercept_], dtype=np.float64)
    logistic = LogisticRegression(C=1.0 / penalty, max_iter=_MOST_ITERATIONS)
    logistic.fit(X, labels.astype(np.int64), weights)
    return _per_class(logistic.coef_, logistic.intercept_, logistic.classes_, context)


def _per_class(
    coefficients: NDArray[np.float64],
    intercept: NDArray[np.float64],
    classes: NDArray[np.int64],
    context: FitContext,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give every class of a multiclass target an output, also those absent from the training rows."""
    if context.task is Task.BINARY:
        return coefficients.T, intercept
    if len(classes) == 2:  # noqa: PLR2004 - scikit-learn then has one output, the second class against the first
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercept = np.concatenate([[0.0], intercept])
    every = np.zeros((coefficients.shape[1], context.n_classes))
    every[:, classes] = coefficients.T
    start = np.full(context.n_classes, intercept.min() - 20.0)
    start[classes] = intercept
    return every, start
