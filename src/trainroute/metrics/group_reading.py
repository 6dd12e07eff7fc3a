"""Read the members of a group, the group and a new member from the lattices of ``lattice.py``.

A few hundred nodes are drawn from each lattice's posterior in fixed order, and each member is read at each of them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, softmax

from trainroute.metrics.group_prior import GroupPrior
from trainroute.metrics.lattice import Lattice, Problem, integrate, log_all_null, shared_error

Float = NDArray[np.float64]
_NODES = 4096
_MEMBER_NODES = 1 << 18
_LEAST_VARIANCE = 1e-18
_GOLDEN = (5**0.5 - 1) / 2


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
    p_none : ndarray of shape (n_members,)
        Probability that the true value is exactly the null.
    spread : ndarray of shape (n_members,)
        Standard deviation of the true value, given that it is not the null; NaN for a member without evidence.
    group_mean, p_group_above : float
        Mean of the true values of the members with evidence, and the probability that it exceeds the null.
    predictive_mean, predictive_p_above, predictive_p_better : float
        ``mean``, ``p_above`` and ``p_better`` of a new member.
    """

    mean: Float
    p_above: Float
    p_better: Float
    p_none: Float
    spread: Float
    group_mean: float
    p_group_above: float
    predictive_mean: float
    predictive_p_above: float
    predictive_p_better: float


@dataclass(frozen=True)
class Belief:
    """Both kinds of lattice with their posterior probabilities, and that of a group without any effect."""

    all_null: float
    parts: tuple[tuple[float, Lattice], ...]

    @classmethod
    def of(cls, problem: Problem, prior: GroupPrior, scale: float) -> "Belief":
        """Integrate over what the prior leaves open."""
        lattices = [integrate(problem, cells) for cells in prior.cells(scale) if cells.prior.sum() > 0]
        logs = [lattice.log_evidence for lattice in lattices]
        logs.append(log_all_null(problem) + float(np.log(prior.all_null)) if prior.all_null > 0 else -np.inf)
        *masses, all_null = softmax(logs)
        return cls(all_null=float(all_null), parts=tuple(zip(map(float, masses), lattices, strict=True)))


@dataclass(frozen=True)
class _Component:
    """One component at each node: the members' effects are normal (effect, variance) there, or none if that is 0.

    Attributes
    ----------
    place, effect, variance : ndarray of shape (n_nodes,)
        Where members are measured, their mean effect, the variance of the effects.
    density : ndarray of shape (n_nodes, n_members)
        Density of the measurements, times the component's share.
    """

    place: Float
    effect: Float
    variance: Float
    density: Float

    def posterior(self, problem: Problem) -> tuple[Float, Float]:
        """Mean and variance of each member's effect, shape (n_nodes, n_members)."""
        weight = self.variance[:, None] / (self.variance[:, None] + problem.variance)
        return self.effect[:, None] + weight * (problem.measured - self.place[:, None]), weight * problem.variance


@dataclass(frozen=True)
class _Nodes:
    """Equally likely nodes of one lattice's posterior.

    ``base_has_effect`` tells whether members of the base have an effect.
    """

    base: _Component
    other: _Component
    base_has_effect: bool


def read(belief: Belief, problem: Problem, known: NDArray[np.bool_]) -> GroupPosterior:
    """Read members, group and a new member from the lattices, as differences from the null."""
    mean, above, none = _predictive(belief, problem)
    result = GroupPosterior(
        mean=np.full(len(known), mean),
        p_above=np.full(len(known), above),
        p_better=np.full(len(known), above + none / 2),
        p_none=np.full(len(known), none),
        spread=np.full(len(known), np.nan),
        group_mean=mean,
        p_group_above=above,
        predictive_mean=mean,
        predictive_p_above=above,
        predictive_p_better=above + none / 2,
    )
    if not known.any():
        return result
    total = np.zeros((4, int(known.sum())))
    p_group_above = 0.0
    for mass, lattice in belief.parts:
        members, group_above = _members(_thinned(lattice, problem), problem)
        total += mass * members
        p_group_above += mass * group_above
    effect, p_above, p_none, square = total[0], total[1], total[2] + belief.all_null, total[3]
    some = np.maximum(1 - p_none, _LEAST_VARIANCE)
    result.mean[known], result.p_above[known], result.p_none[known] = effect, p_above, p_none
    result.p_better[known] = p_above + p_none / 2
    result.spread[known] = np.sqrt(np.maximum(square / some - (effect / some) ** 2, _LEAST_VARIANCE))
    return replace(result, group_mean=float(result.mean[known].mean()), p_group_above=p_group_above)


def _members(nodes: _Nodes, problem: Problem) -> tuple[Float, float]:
    """Mean effect, probability above and of nothing, mean square: per member, shape (4, n_members); group above."""
    total = nodes.base.density + nodes.other.density
    first = second = above = none = np.zeros_like(total)
    for component, has_effect in ((nodes.base, nodes.base_has_effect), (nodes.other, True)):
        share = component.density / total
        if not has_effect:
            none = share
            continue
        centre, variance = component.posterior(problem)
        first = first + share * centre
        second = second + share * (variance + centre**2)
        above = above + share * ndtr(centre / np.sqrt(np.maximum(variance, _LEAST_VARIANCE)))
    members = np.stack([each.mean(axis=0) for each in (first, above, none, second)])
    return members, _mean_above(none, first, second)


def _mean_above(none: Float, first: Float, second: Float) -> float:
    """Probability that the mean effect is positive: normal by its first two moments, given that any effect is there."""
    some = np.maximum(-np.expm1(np.log(np.maximum(none, 1e-12)).sum(axis=1)), 1e-12)
    mean = first.mean(axis=1)
    variance = (second - first**2).sum(axis=1) / first.shape[1] ** 2
    given = mean / some
    left = np.maximum((variance + mean**2) / some - given**2, _LEAST_VARIANCE)
    return float((some * ndtr(given / np.sqrt(left))).mean())


def _predictive(belief: Belief, problem: Problem) -> tuple[float, float, float]:
    """Mean, probability above and probability of exactly nothing, for a new member."""
    mean, above, none = 0.0, 0.0, belief.all_null
    for mass, lattice in belief.parts:
        cells, a, b = lattice.cells, *np.broadcast_arrays(lattice.base[:, :, None], lattice.mean[:, None, :])
        share, weight = cells.share[:, None, None], mass * lattice.weight
        components = [(b, cells.spread, (1 - share) * weight)]
        if (cells.base > 0).any():
            components.append((a, cells.base, share * weight))
            nodes, log_weight = shared_error(problem, a, b)
            shared = list(zip(nodes, softmax(log_weight, axis=0), strict=True))
        else:
            none += float((share * weight).sum())
            shared = [(a, 1.0)]
        for place, deviation, part in components:
            spread = np.maximum(deviation, _LEAST_VARIANCE**0.5)[:, None, None]
            for error, probability in shared:
                mean += float((part * probability * (place - error)).sum())
                above += float((part * probability * ndtr((place - error) / spread)).sum())
    return mean, above, none


def _thinned(lattice: Lattice, problem: Problem) -> _Nodes:
    """Take nodes at equal steps of the cumulative weight: few, deterministic, and spread over the whole lattice."""
    n_members = len(problem.measured)
    count = max(min(_NODES, _MEMBER_NODES // max(n_members, 1)), 64)
    cumulative = np.cumsum(lattice.weight.ravel())
    steps = (np.arange(count) + 0.5) / count
    chosen = np.searchsorted(cumulative, steps * cumulative[-1])
    cell, i, j = np.unravel_index(np.minimum(chosen, len(cumulative) - 1), lattice.weight.shape)
    base, mean = lattice.base[cell, i], lattice.mean[cell, j]
    has_effect = bool((lattice.cells.base > 0).any())
    shared = _shared_at(problem, base, mean) if has_effect else base
    share = lattice.cells.share[cell]
    return _Nodes(
        base=_Component(
            place=base,
            effect=base - shared,
            variance=lattice.cells.base[cell] ** 2,
            density=share[:, None] * lattice.base_density[:, cell, i].T,
        ),
        other=_Component(
            place=mean,
            effect=mean - shared,
            variance=lattice.cells.spread[cell] ** 2,
            density=(1 - share)[:, None] * lattice.effect_density[:, cell, j].T,
        ),
        base_has_effect=has_effect,
    )


def _shared_at(problem: Problem, base: Float, mean: Float) -> Float:
    """One value of the shared error per node, so that together they follow its posterior."""
    values, log_weight = shared_error(problem, base, mean)
    cumulative = np.cumsum(softmax(log_weight, axis=0), axis=0)
    fraction = np.arange(len(base)) * _GOLDEN % 1.0
    chosen: Float = values[np.minimum((cumulative < fraction).sum(axis=0), len(values) - 1)]
    return chosen
