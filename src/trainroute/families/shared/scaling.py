"""Standardise features by the mean and the spread of the training rows; missing values stand at the mean."""

import numpy as np
from numpy.typing import NDArray

LARGEST = 5.0
"""Standardised values are clipped to ± this many standard deviations."""


def column_statistics(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the standard deviation of each column, missing values left out.

    Returns
    -------
    mean, scale : ndarray of shape (n_features,), float64
        The scale of a column that is constant or wholly missing is 1.
    """
    present = ~np.isnan(features)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, features, 0.0).sum(axis=0, dtype=np.float64) / count
    variance = (np.where(present, features - mean, 0.0) ** 2).sum(axis=0, dtype=np.float64) / count
    # Rounding leaves a constant feature with a tiny variance; it must not be blown up to a unit one.
    varies = variance > (1e-6 * np.maximum(np.abs(mean), 1e-30)) ** 2
    return mean, np.where(varies, np.sqrt(variance), 1.0)


def standardised(
    features: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return features of shape (n_rows, n_features) in standard deviations from the mean, clipped to ± `LARGEST`."""
    return np.clip(np.nan_to_num((features - mean) / scale, nan=0.0), -LARGEST, LARGEST)
