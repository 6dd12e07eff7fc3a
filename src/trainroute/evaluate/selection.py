"""Feature selection from moments: the features that go with a target, strongest first, inside the training rows."""

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.statistics import Moments


def strength(pooled: Moments, owner: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the largest absolute within-symbol correlation per feature and target.

    Returns
    -------
    ndarray of shape (n_targets, n_features)
        Rounded to 6 decimals, so that no choice hangs on the order of additions.
    """
    correlation = np.abs(pooled.correlation()[0])
    by_target = np.zeros((owner.max() + 1, len(correlation)))
    np.maximum.at(by_target, owner, correlation.T)
    return by_target.round(6)


def select(pooled: Moments, owner: NDArray[np.intp], allowed: NDArray[np.bool_], top_m: int) -> NDArray[np.bool_]:
    """Choose at most ``top_m`` of the allowed features per target.

    Parameters
    ----------
    pooled : Moments
        Of the training rows only.
    owner : ndarray of shape (n_columns,)
        Which target each label column belongs to.
    allowed : ndarray of shape (n_targets, n_features), bool

    Returns
    -------
    ndarray of shape (n_targets, n_features), bool
    """
    merit = np.where(allowed, strength(pooled, owner), -1.0)
    order = np.argsort(-merit, axis=1, kind="stable")[:, :top_m]
    chosen = np.zeros_like(allowed)
    np.put_along_axis(chosen, order, values=True, axis=1)
    return chosen & allowed
