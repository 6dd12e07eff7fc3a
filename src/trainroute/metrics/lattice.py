"""The posterior of a group's prior parameters, on lattices that move to where the evidence is.

The model is that of ``shrinkage.py``: a member's measurement is its effect, plus an error ``a`` that all members share,
plus an error of its own; the effect is 0 with probability ``share``, else normal with mean ``mu`` and deviation
``spread``. Here the parameters are ``a`` and ``b = a + mu``, the places at which members without and with an effect are
measured: the likelihood is a product over members of ``share N(x; a, v) + (1 - share) N(x; b, v + spread^2)``.

1. Each pair (share, spread) is a cell with a lattice of its own over (a, b), at first over everything plausible.
2. The likelihood of a few members, evenly spread over the sorted measurements, shows where each cell's mass is; the
   lattice is laid anew over that box, and four times as many members are used, until all are.
3. A group without any effect (share 1) is normal and needs no lattice.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Float = NDArray[np.float64]
_SHARED_NODES = 17
_MEAN_NODES = 33
_FIRST_MEMBERS = 8
_GROWTH = 4
_LEAST_STAGES = 3
_NEGLIGIBLE = 1e-6
_SHARED_REACH = 5.0
_MEAN_REACH = 12.0
_SMALLEST_DENSITY = 1e-30
_FACTORS_PER_LOG = 8


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells of a prior: every pair of a null share below 1 and a spread.

    Attributes
    ----------
    share, spread, prior : ndarray of shape (n_cells,)
        Null share, deviation of the effects, prior probability.
    """

    share: Float
    spread: Float
    prior: Float


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Posterior weights of the prior parameters; with ``all_null`` they sum to 1.

    Attributes
    ----------
    cells : Cells
    shared : ndarray of shape (n_cells, n_shared)
        Values of the shared error ``a``.
    mean : ndarray of shape (n_cells, n_mean)
        Values of ``b``, the shared error plus the mean effect.
    weight : ndarray of shape (n_cells, n_shared, n_mean)
    all_null : float
        Posterior probability that no member has an effect.
    null_density : ndarray of shape (n_members, n_cells, n_shared)
        Density of each measurement without an effect, in units of the member's largest.
    effect_density : ndarray of shape (n_members, n_cells, n_mean)
        The same with an effect.
    """

    cells: Cells
    shared: Float
    mean: Float
    weight: Float
    all_null: float
    null_density: Float
    effect_density: Float


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the lattice integrates over.

    Attributes
    ----------
    measured, variance : ndarray of shape (n_members,)
        Measurements as differences from the null value, and the variance of each one's own error.
    common_se : float
        Deviation of the shared error.
    scale, degrees : float
        The mean effect is ``scale`` times Student's t with ``degrees`` degrees of freedom.
    all_null : float
        Prior probability that no member has an effect.
    """

    measured: Float
    variance: Float
    common_se: float
    scale: float
    degrees: float
    all_null: float


def integrate(problem: Problem, cells: Cells) -> Lattice:
    """Find the posterior of the prior parameters."""
    n = len(problem.measured)
    ascending = np.argsort(problem.measured, kind="stable")
    shared, mean = _first_box(problem, len(cells.share))
    used, stage = min(_FIRST_MEMBERS, n), 1
    while True:
        members = np.sort(ascending[(2 * np.arange(used) + 1) * n // (2 * max(used, 1))])
        lattice = _evaluate(problem, cells, shared, mean, members)
        if used == n and stage >= _LEAST_STAGES:
            return lattice
        if stage > 1:
            mass = lattice.weight.sum(axis=(1, 2))
            lattice = _without(lattice, mass < _NEGLIGIBLE * mass.max())
        cells = lattice.cells
        shared = _zoomed(lattice.shared, lattice.weight.sum(axis=2))
        mean = _zoomed(lattice.mean, lattice.weight.sum(axis=1))
        used, stage = min(used * _GROWTH, n), stage + 1


def _first_box(problem: Problem, n_cells: int) -> tuple[Float, Float]:
    """Lay nodes over all shared errors and mean effects that are plausible before the evidence."""
    reach = _SHARED_REACH * problem.common_se
    shared = np.linspace(-reach, reach, _SHARED_NODES) if reach > 0 else np.zeros(1)
    low = min(-_MEAN_REACH * problem.scale - reach, float(problem.measured.min(initial=0.0)))
    high = max(_MEAN_REACH * problem.scale + reach, float(problem.measured.max(initial=0.0)))
    mean = np.linspace(low, high, _MEAN_NODES)
    return np.tile(shared, (n_cells, 1)), np.tile(mean, (n_cells, 1))


def _evaluate(problem: Problem, cells: Cells, shared: Float, mean: Float, members: NDArray[np.int64]) -> Lattice:
    measured, variance = problem.measured[members], problem.variance[members]
    null = _log_density(measured[:, None, None] - shared, variance[:, None, None])
    effect = _log_density(measured[:, None, None] - mean, variance[:, None, None] + (cells.spread**2)[:, None])
    top = np.maximum(null.max(axis=(1, 2)), effect.max(axis=(1, 2)))[:, None, None]
    null_density = np.maximum(np.exp(null - top), _SMALLEST_DENSITY)
    effect_density = np.maximum(np.exp(effect - top), _SMALLEST_DENSITY)
    log = _log_mixture(cells.share, null_density, effect_density) + float(top.sum())
    log += np.log((1 - problem.all_null) * cells.prior)[:, None, None]
    log += _log_prior(problem, shared, mean)
    log_null = _log_all_null(problem.common_se, measured, variance) + np.log(problem.all_null)
    largest = max(float(log.max()), log_null)
    weight, all_null = np.exp(log - largest), float(np.exp(log_null - largest))
    total = float(weight.sum()) + all_null
    return Lattice(
        cells=cells,
        shared=shared,
        mean=mean,
        weight=weight / total,
        all_null=all_null / total,
        null_density=null_density,
        effect_density=effect_density,
    )


def _log_mixture(share: Float, null: Float, effect: Float) -> Float:
    """Sum over members of the log of the mixture density; shape (n_cells, n_shared, n_mean).

    Densities are at most 1 and at least 1e-30, so eight of them are multiplied before one logarithm is taken.
    """
    without, with_effect = share[:, None] * null, (1 - share)[:, None] * effect
    log = np.zeros((len(share), null.shape[2], effect.shape[2]))
    product, density = np.ones_like(log), np.empty_like(log)
    for member in range(len(null)):
        np.add(without[member, :, :, None], with_effect[member, :, None, :], out=density)
        product *= density
        if member % _FACTORS_PER_LOG == _FACTORS_PER_LOG - 1:
            log += np.log(product)
            product.fill(1.0)
    return log + np.log(product)


def _log_prior(problem: Problem, shared: Float, mean: Float) -> Float:
    """Log prior of the mean effect and the shared error, times the area of a node."""
    ratio = (mean[:, None, :] - shared[:, :, None]) / problem.scale
    degrees = problem.degrees
    constant = gammaln((degrees + 1) / 2) - gammaln(degrees / 2) - 0.5 * np.log(degrees * np.pi) - np.log(problem.scale)
    log: Float = constant - (degrees + 1) / 2 * np.log1p(ratio**2 / degrees)
    log += np.log(_width(mean))[:, None, :]
    if problem.common_se > 0:
        own = _log_density(shared, np.full(1, problem.common_se**2)) + np.log(_width(shared))
        log += own[:, :, None]
    return log


def _log_all_null(common_se: float, measured: Float, variance: Float) -> float:
    """Log density of measurements without effects: normal, with one shared error (Sherman & Morrison's inverse)."""
    precision = 1 / variance
    spread = 1 + common_se**2 * precision.sum()
    square = (measured**2 * precision).sum() - common_se**2 * (measured * precision).sum() ** 2 / spread
    return float(-0.5 * (square + np.log(2 * np.pi * variance).sum() + np.log(spread)))


def _log_density(distance: Float, variance: Float) -> Float:
    log: Float = -0.5 * (distance**2 / variance + np.log(2 * np.pi * variance))
    return log


def _without(lattice: Lattice, dropped: NDArray[np.bool_]) -> Lattice:
    kept = ~dropped
    cells = lattice.cells
    return replace(
        lattice,
        cells=Cells(share=cells.share[kept], spread=cells.spread[kept], prior=cells.prior[kept]),
        shared=lattice.shared[kept],
        mean=lattice.mean[kept],
        weight=lattice.weight[kept],
    )


def _zoomed(nodes: Float, mass: Float) -> Float:
    """Lay the nodes of each cell anew: half of them evenly over the box that holds its mass, half as dense as it is."""
    if nodes.shape[1] == 1:
        return nodes
    return np.stack([_zoomed_cell(*cell) for cell in zip(nodes, _width(nodes), mass, strict=True)])


def _zoomed_cell(nodes: Float, width: Float, mass: Float) -> Float:
    steps = (np.arange(len(nodes)) + 0.5) / len(nodes)
    live = np.flatnonzero(mass >= _NEGLIGIBLE * mass.max())
    box = slice(max(int(live[0]) - 1, 0), int(live[-1]) + 2)
    nodes, width, mass = nodes[box], width[box], mass[box]
    density = 0.5 * mass / mass.sum() + 0.5 * width / width.sum()
    edges = np.concatenate((nodes[:1], (nodes[1:] + nodes[:-1]) / 2, nodes[-1:]))
    return np.interp(steps, np.append(0.0, np.cumsum(density)), edges)


def _width(nodes: Float) -> Float:
    """Length of the axis that each node stands for; 1 for a single node, which stands for itself."""
    if nodes.shape[1] == 1:
        return np.ones_like(nodes)
    edges = np.concatenate((nodes[:, :1], (nodes[:, 1:] + nodes[:, :-1]) / 2, nodes[:, -1:]), axis=1)
    return np.diff(edges, axis=1)
