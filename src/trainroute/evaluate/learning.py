"""What the final model gains over the models of the folds, because it trains on more rows.

Models in the folds see only the rows before them, which costs a local model most: it has the fewest rows for as many
coefficients. A linear model with k free coefficients, trained on n independent observations of a relation that explains
the share R of the variance, is expected to reach the correlation ``r(n) = R / sqrt(R + k / n)``.

1. A skill in units of its standard error is the correlation in units of one over the root of the independent
   observations of the test rows, whatever the task and however labels overlap: ``z = skill / se``.
2. With ``q_f`` training rows per test row in fold f, which tests the share ``w_f`` of the rows, the R for which
   ``sum w_f r(q_f) = |z|`` is found by bisection, in the same units.
3. With ``Q`` training rows per test row at last, skill is expected to grow by the factor ``r(Q) / |z|``.

Ridge spends nothing on directions in which features hardly vary, so k is not the number of features but their
effective rank (`effective_features`): all of them where they are uncorrelated, one where they are copies.

It grows by at most ``sqrt(Q) / sum w_f sqrt(q_f)``, and a skill of 0 stays 0.

References
----------
Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, section 7.10: cross-validation is biased
where the learning curve still rises. The curve is that of least squares with independent regressors; their section
3.4.1 has the effective degrees of freedom of ridge. The participation ratio of eigenvalues as an effective number of
dimensions: Bell & Dean (1970), Atomic vibrations in vitreous silica, Discuss. Faraday Soc. 50.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.inputs import GroupInput
from trainroute.evaluate.statistics import Floats
from trainroute.evaluate.walk import TestRows

_BISECTIONS = 60
_SMALLEST, _LARGEST = 1e-9, 1e9


@dataclass(frozen=True, kw_only=True)
class TrainingShare:
    """Training rows per test row.

    Attributes
    ----------
    folds : ndarray of shape (k, n_folds)
        Of the models in the folds.
    tested : ndarray of shape (k, n_folds)
        Share of the test rows that each fold tests; 0 throughout where nothing was tested.
    final : ndarray of shape (k,)
        Of the model that trains on all rows before the holdout.
    """

    folds: Floats
    tested: Floats
    final: Floats

    @classmethod
    def of(cls, training: Floats, final: Floats, tested: Floats) -> "TrainingShare":
        """Divide rows.

        Parameters
        ----------
        training, tested : ndarray of shape (k, n_folds)
            Rows that train for each fold, and rows that it tests.
        final : ndarray of shape (k,)
        """
        total = np.maximum(tested.sum(1), 1.0)
        return cls(folds=training / total[:, None], tested=tested / total[:, None], final=final / total)


@dataclass(frozen=True, kw_only=True)
class Learning:
    """The training shares of the pool (k = 1) and of the local models (k = n_symbols)."""

    pooled: TrainingShare
    local: TrainingShare

    @classmethod
    def of(cls, data: GroupInput, rows: TestRows, local_trained: NDArray[np.bool_]) -> "Learning":
        """Count the rows of a group of targets; ``local_trained`` has the shape (n_symbols, n_folds)."""
        training = np.stack([data.sums.rows(fold) for fold in data.split.test_blocks], axis=1)
        final = data.sums.rows(data.split.n_blocks)
        tested = np.bincount(rows.cell, minlength=training.size).reshape(training.shape).astype(np.float64)
        return cls(
            pooled=TrainingShare.of(training.sum(0)[None], final.sum()[None], tested.sum(0)[None]),
            local=TrainingShare.of(training, final, np.where(local_trained, tested, 0.0)),
        )


def effective_features(products: Floats) -> float:
    """Return the effective rank of features: ``(sum l)^2 / sum l^2`` over the eigenvalues of their correlations.

    Parameters
    ----------
    products : ndarray of shape (n_features, n_features)
        Centred sums of products; features that do not vary are left out.
    """
    spread = np.sqrt(np.diagonal(products))
    varies = spread > 0
    correlation = products[np.ix_(varies, varies)] / (spread[varies, None] * spread[varies])
    return float(varies.sum() ** 2 / max((correlation**2).sum(), 1.0))


def growth(skill: Floats, se: Floats, share: TrainingShare, n_features: float) -> Floats:
    """Return the factor by which skill is expected to grow; 1 where nothing was measured.

    Parameters
    ----------
    skill : ndarray of shape (k,)
        Expected score in the folds less one half.
    se : ndarray of shape (k,)
        Standard error of the score.
    n_features : float
        Effective number of features that the model uses.
    """
    known = np.isfinite(skill) & np.isfinite(se) & (se > 0) & (share.tested.sum(1) > 0) & (n_features > 0)
    z = np.abs(np.divide(skill, se, out=np.zeros(len(known)), where=known))
    known &= z > _SMALLEST
    burden = n_features / np.maximum(share.folds, _SMALLEST)
    low, high = np.full(len(z), _SMALLEST), np.full(len(z), _LARGEST)
    for _ in range(_BISECTIONS):
        middle = np.sqrt(low * high)
        reached = (share.tested * _reach(middle[:, None], burden)).sum(1)
        low, high = np.where(reached < z, middle, low), np.where(reached < z, high, middle)
    at_last = _reach(np.sqrt(low * high), n_features / np.maximum(share.final, _SMALLEST))
    factor: Floats = np.divide(at_last, z, out=np.ones(len(z)), where=known)
    return factor


def _reach(explained: Floats, burden: Floats) -> Floats:
    reached: Floats = explained / np.sqrt(explained + burden)
    return reached
