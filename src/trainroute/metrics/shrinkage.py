"""What a group of noisy measurations says about each of its members.

Among a thousand symbols some look good by luck. Each member's measurement is therefore read in the light of the whole
group: empirical Bayes, with the parameters of the prior integrated over rather than set to one estimate, which would
split a homogeneous group into passed and blocked members.

The model, for a measurement ``x`` of member s with standard error ``se_s``::

    x_s = null + effect_s + shared + error_s
    effect_s = base effect with probability share, else normal (mean, spread^2)
    shared ~ normal (0, common_se^2)        one number for the whole group
    error_s ~ normal (0, se_s^2 - common_se^2)

The base effect is 0 in one half of the prior, or a second normal in the other (a group in which one part is better by a
little and the rest worse by a lot has no "nothing"). So the prior follows groups that are homogeneous, that vary, and
that fall into two; "nothing" is favoured beforehand (Stephens 2017, "False discovery rates: a new deal", Biostatistics
18; Johnstone & Silverman 2004, "Needles and straw in haystacks", Annals of Statistics 32). ``shared`` is what all
members err by together because their labels meet the same dates. No number of members averages it away, so that a whole
group is never believed on the strength of one lucky year.

1. ``common_standard_error`` measures the shared error from the members' block totals.
2. ``lattice.py`` integrates over shares, means, spreads and the shared error.
3. ``group_reading.py`` reads each member at a few hundred nodes of that posterior.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from trainroute.metrics.group_prior import GroupPrior
from trainroute.metrics.group_reading import Belief, GroupPosterior, read
from trainroute.metrics.intervals import degrees_of_freedom, standard_errors
from trainroute.metrics.lattice import Problem

Float = NDArray[np.float64]
_TWO_SIGMA_TAIL = 0.022750131948179195
_LEAST_DEGREES = 3.0
_LEAST_ERROR = 1e-4


DEFAULT_PRIOR = GroupPrior()


def group_posterior(
    estimate: ArrayLike,
    se: ArrayLike,
    *,
    common_se: float = 0.0,
    degrees: ArrayLike = np.inf,
    null: float = 0.5,
    scale: float = 0.02,
    prior: GroupPrior = DEFAULT_PRIOR,
) -> GroupPosterior:
    """Read each measurement in the light of its group.

    Parameters
    ----------
    estimate : array-like of shape (n_members,)
        Measurements; NaN where there is none.
    se : array-like of shape (n_members,)
        Their standard errors, the shared error included. NaN or 0 is no evidence: an error of 0 comes from a score
        that does not vary, not from certainty. An error under ``scale / 10000`` is raised to it.
    common_se : float
        Standard error that all members share (``common_standard_error``).
    degrees : float or array-like of shape (n_members,)
        Degrees of freedom of the standard errors (``degrees_of_freedom``). An error known from few blocks is widened
        until two standard errors leave as much in a normal tail as the t distribution does.
    null : float
        The value that means "nothing": 0.5 for a concordance, 0 for a difference.
    scale : float
        Typical size of a mean effect, in units of the estimate.
    prior : GroupPrior

    Returns
    -------
    GroupPosterior

    Raises
    ------
    ValueError
        If shapes differ, an estimate is infinite, an error is negative or infinite, or ``common_se`` is not a finite
        number from 0.

    Examples
    --------
    >>> import numpy as np
    >>> posterior = group_posterior([0.50, 0.51, 0.49, 0.60, 0.61], [0.01] * 5)
    >>> (posterior.p_above > 0.5).tolist()
    [False, False, False, True, True]
    """
    estimate, se = _checked(estimate, se, common_se)
    known = np.isfinite(estimate) & (se > 0)
    widened = se * _widening(np.broadcast_to(np.asarray(degrees, dtype=np.float64), se.shape))
    widened = np.maximum(widened[known], _LEAST_ERROR * scale)
    problem = Problem(
        measured=estimate[known] - null,
        variance=np.maximum(widened**2 - common_se**2, prior.least_own_share * widened**2),
        common_se=common_se if common_se > _LEAST_ERROR * scale else 0.0,
        scale=scale,
        degrees=prior.mean_degrees,
    )
    return _shifted(read(Belief.of(problem, prior, scale), problem, known), null)


def common_standard_error(totals: ArrayLike, weights: ArrayLike, *, n_folds: int = 1) -> float:
    """Measure the standard error that all members share because they meet the same dates.

    The variance of the weighted mean's influence is that of independent members plus the weighted mean of all
    covariances between two members; the square root of the latter is returned. It is known only from as many blocks as
    there are, so the variance of the mean is raised to that of its t distribution, ``df / (df - 2)``: the error is
    rather over- than underestimated.

    Parameters
    ----------
    totals : array-like of shape (n_members, n_blocks)
        Sums of influence over blocks of whole dates, the same blocks for all members (``block_totals``).
    weights : array-like of shape (n_members,)
        Weight of each member in the group's mean; not negative.
    n_folds : int
        As for ``standard_errors``.

    Returns
    -------
    float
        0 for fewer than two members with weight and evidence, or where no common error is seen.

    Raises
    ------
    ValueError
        If a weight is negative or not finite.
    """
    table, weight = np.asarray(totals, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError("weights must be finite and not negative")
    own = standard_errors(table, n_folds=n_folds)
    used = (weight > 0) & (own > 0)
    if used.sum() < 2:  # noqa: PLR2004 - a covariance takes two
        return 0.0
    weight = weight[used] / weight[used].sum()
    mean = (weight[:, None] * table[used]).sum(axis=0, keepdims=True)
    degrees = max(float(degrees_of_freedom(mean, n_folds=n_folds)[0]), _LEAST_DEGREES)
    whole = float(np.nan_to_num(standard_errors(mean, n_folds=n_folds)[0])) ** 2 * degrees / (degrees - 2)
    between = whole - float((weight**2 * own[used] ** 2).sum())
    return float(np.sqrt(max(between, 0.0) / (1 - float((weight**2).sum()))))


def _checked(estimate: ArrayLike, se: ArrayLike, common_se: float) -> tuple[Float, Float]:
    estimate, se = np.asarray(estimate, dtype=np.float64), np.asarray(se, dtype=np.float64)
    if estimate.ndim != 1 or estimate.shape != se.shape:
        raise ValueError(f"estimate and se must be one-dimensional, of one length; got {estimate.shape}, {se.shape}")
    if np.isinf(estimate).any():
        raise ValueError("estimate must be finite, or NaN where there is none; got an infinite value")
    if np.isinf(se).any() or (se < 0).any():
        raise ValueError("se must be finite and not negative, or NaN where there is none")
    if not 0 <= common_se < np.inf:
        raise ValueError(f"common_se must be a finite number from 0; got {common_se}")
    return estimate, se


def _widening(degrees: Float) -> Float:
    """Half of the t quantile that leaves the tail of two normal deviations (Lu & Stephens 2019, for ash)."""
    wide: Float = np.where(np.isinf(degrees), 1.0, -0.5 * stdtrit(np.minimum(degrees, 1e9), _TWO_SIGMA_TAIL))
    return wide


def _shifted(posterior: GroupPosterior, null: float) -> GroupPosterior:
    return replace(
        posterior,
        mean=posterior.mean + null,
        group_mean=posterior.group_mean + null,
        predictive_mean=posterior.predictive_mean + null,
    )
