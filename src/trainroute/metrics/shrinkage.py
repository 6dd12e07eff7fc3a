"""What a group of noisy measurations says about each of its members.

Among a thousand symbols some look good by luck. Each member's measurement is therefore read in the light of the whole
group: empirical Bayes, with the parameters of the prior integrated over rather than set to one estimate, which would
split a homogeneous group into passed and blocked members.

The model, for a measurement ``x`` of member s with standard error ``se_s``::

    x_s = null + effect_s + shared + error_s
    effect_s = 0 with probability share, else normal (mean, spread^2)
    shared ~ normal (0, common_se^2)        one number for the whole group
    error_s ~ normal (0, se_s^2 - common_se^2)

A point mass at "nothing" with a normal of any mean and spread follows groups that are homogeneous, that vary, and that
fall into two; the null mass is favoured beforehand (Stephens 2017, "False discovery rates: a new deal", Biostatistics
18; Johnstone & Silverman 2004, "Needles and straw in haystacks", Annals of Statistics 32). ``shared`` is what all
members err by together because their labels meet the same dates. No number of members averages it away, so that a whole
group is never believed on the strength of one lucky year.

1. ``common_standard_error`` measures the shared error from the members' block totals.
2. ``lattice.py`` integrates over share, mean, spread and shared error.
3. ``_thinned`` draws a few hundred nodes from that posterior in fixed order, and each member is read at each of them.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from trainroute.metrics.intervals import degrees_of_freedom, standard_errors
from trainroute.metrics.lattice import Cells, Lattice, Problem, integrate

Float = NDArray[np.float64]
_NODES = 4096
_MEMBER_NODES = 1 << 18
_LEAST_VARIANCE = 1e-18
_TWO_SIGMA_TAIL = 0.022750131948179195
_LEAST_DEGREES = 3.0
_LEAST_ERROR = 1e-4


@dataclass(frozen=True, kw_only=True)
class GroupPrior:
    """What is believed of a group before it is measured.

    The numbers were set by simulation of groups with none, few, half and all of their members above the null, so that
    posterior probabilities are calibrated for 40 members and cautious for few.

    Attributes
    ----------
    all_null : float
        Probability that no member has an effect.
    null_shares, null_share_weights : tuple of float
        Else: possible shares of members without an effect, and their relative probabilities.
    spreads : tuple of float
        Possible deviations of the effects, in units of ``scale``, equally likely.
    mean_degrees : float
        The mean effect is ``scale`` times Student's t with so many degrees of freedom.
    least_own_share : float
        Of a member's variance, at least this share is its own, whatever the shared error.
    """

    all_null: float = 0.15
    null_shares: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97)
    null_share_weights: tuple[float, ...] = (8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    spreads: tuple[float, ...] = (0.0, 0.3, 0.7, 1.5, 3.0, 5.0)
    mean_degrees: float = 3.0
    least_own_share: float = 0.2

    def cells(self, scale: float) -> Cells:
        """Every pair of a null share and a spread."""
        weights = np.repeat(self.null_share_weights, len(self.spreads))
        share, spread = np.array(list(product(self.null_shares, self.spreads))).T
        return Cells(share=share, spread=spread * scale, prior=weights / weights.sum())


DEFAULT_PRIOR = GroupPrior()


@dataclass(frozen=True, kw_only=True)
class GroupPosterior:
    """What is believed of each member after the group was measured.

    A member without evidence gets the predictive values, those of a new member of the group.

    Attributes
    ----------
    mean : ndarray of shape (n_members,)
        Posterior mean of the true value.
    p_above : ndarray of shape (n_members,)
        Probability that the true value exceeds the null; a value exactly at the null does not.
    p_better : ndarray of shape (n_members,)
        The same, but a value exactly at the null counts one half: 0.5 where nothing tells two sides apart.
    group_mean, p_group_above : float
        Mean of the true values of the members with evidence, and the probability that it exceeds the null.
    predictive_mean, predictive_p_above, predictive_p_better : float
        ``mean``, ``p_above`` and ``p_better`` of a new member.
    """

    mean: Float
    p_above: Float
    p_better: Float
    group_mean: float
    p_group_above: float
    predictive_mean: float
    predictive_p_above: float
    predictive_p_better: float


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
        all_null=prior.all_null,
    )
    lattice = integrate(problem, prior.cells(scale))
    return _shifted(_read(lattice, problem, known), null)


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


@dataclass(frozen=True)
class _Nodes:
    """Equally likely nodes of the posterior, and the members' densities there; arrays of shape (n_nodes, ...)."""

    mass: float
    share: Float
    mean: Float
    place: Float
    variance: Float
    null_density: Float
    effect_density: Float


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


def _read(lattice: Lattice, problem: Problem, known: NDArray[np.bool_]) -> GroupPosterior:
    """Read members, group and a new member from the lattice, as differences from the null."""
    mean, above, none = _predictive(lattice)
    result = GroupPosterior(
        mean=np.full(len(known), mean),
        p_above=np.full(len(known), above),
        p_better=np.full(len(known), above + none / 2),
        group_mean=mean,
        p_group_above=above,
        predictive_mean=mean,
        predictive_p_above=above,
        predictive_p_better=above + none / 2,
    )
    if not known.any():
        return result
    nodes = _thinned(lattice, problem)
    variance, measured = problem.variance, problem.measured
    total = nodes.share[:, None] * nodes.null_density + (1 - nodes.share)[:, None] * nodes.effect_density
    effect = (1 - nodes.share)[:, None] * nodes.effect_density / total
    weight = nodes.variance[:, None] / (nodes.variance[:, None] + variance)
    centre = nodes.mean[:, None] + weight * (measured - nodes.place[:, None])
    spread = weight * variance
    positive = effect * ndtr(centre / np.sqrt(np.maximum(spread, _LEAST_VARIANCE)))
    p_above = nodes.mass * positive.mean(axis=0)
    p_none = nodes.mass * (1 - effect).mean(axis=0) + lattice.all_null
    result.mean[known] = nodes.mass * (effect * centre).mean(axis=0)
    result.p_above[known] = p_above
    result.p_better[known] = p_above + p_none / 2
    return replace(
        result,
        group_mean=float(result.mean[known].mean()),
        p_group_above=nodes.mass * _mean_above(effect, centre, spread),
    )


def _mean_above(effect: Float, centre: Float, spread: Float) -> float:
    """Probability that the mean effect is positive: normal by its first two moments, given that any effect is there."""
    some = np.maximum(-np.expm1(np.log1p(-np.minimum(effect, 1 - 1e-12)).sum(axis=1)), 1e-12)
    first = (effect * centre).mean(axis=1)
    variance = (effect * (centre**2 + spread) - (effect * centre) ** 2).sum(axis=1) / effect.shape[1] ** 2
    given = first / some
    left = np.maximum((variance + first**2) / some - given**2, _LEAST_VARIANCE)
    return float((some * ndtr(given / np.sqrt(left))).mean())


def _predictive(lattice: Lattice) -> tuple[float, float, float]:
    """Mean, probability above and probability of exactly nothing, for a new member."""
    mean = lattice.mean[:, None, :] - lattice.shared[:, :, None]
    spread = np.sqrt(np.maximum(lattice.cells.spread**2, _LEAST_VARIANCE))[:, None, None]
    effect = lattice.weight * (1 - lattice.cells.share)[:, None, None]
    return (
        float((effect * mean).sum()),
        float((effect * ndtr(mean / spread)).sum()),
        float((lattice.weight * lattice.cells.share[:, None, None]).sum()) + lattice.all_null,
    )


def _thinned(lattice: Lattice, problem: Problem) -> _Nodes:
    """Take nodes at equal steps of the cumulative weight: few, deterministic, and spread over the whole lattice."""
    n_members = len(problem.measured)
    count = max(min(_NODES, _MEMBER_NODES // n_members), 64)
    cumulative = np.cumsum(lattice.weight.ravel())
    mass = float(cumulative[-1])
    chosen = np.searchsorted(cumulative, (np.arange(count) + 0.5) * (mass / count))
    cell, shared, mean = np.unravel_index(np.minimum(chosen, len(cumulative) - 1), lattice.weight.shape)
    place = lattice.mean[cell, mean]
    return _Nodes(
        mass=mass,
        share=lattice.cells.share[cell],
        mean=place - lattice.shared[cell, shared],
        place=place,
        variance=lattice.cells.spread[cell] ** 2,
        null_density=lattice.null_density[:, cell, shared].T,
        effect_density=lattice.effect_density[:, cell, mean].T,
    )


def _shifted(posterior: GroupPosterior, null: float) -> GroupPosterior:
    return replace(
        posterior,
        mean=posterior.mean + null,
        group_mean=posterior.group_mean + null,
        predictive_mean=posterior.predictive_mean + null,
    )
