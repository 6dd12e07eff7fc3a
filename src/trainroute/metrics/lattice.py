"""The posterior of a group's prior parameters, on lattices that move to where the evidence is.

The model is that of ``shrinkage.py``: a member's measurement is its effect, plus an error that all members share, plus
an error of its own. Here the parameters are the places ``a`` and ``b`` at which the members of the base and of the
other component are measured, shared error included: the likelihood is a product over members of
``share N(x; a, v + base^2) + (1 - share) N(x; b, v + spread^2)``.

In a cell whose base is "nothing", ``a`` is the shared error itself and ``base`` is 0. In one whose base has an effect
of its own, ``a`` is that effect plus the shared error, which is integrated out by Gauss-Hermite quadrature.

1. Each triple (share, spread, kind of base) is a cell with a lattice of its own over (a, b), at first over everything
   plausible.
2. The likelihood of a few members, evenly spread over the sorted measurements, shows where each cell's mass is; the
   lattice is laid anew over that box, and four times as many members are used, until all are.
3. A group without any effect is normal and needs no lattice (``log_all_null``).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

Float = NDArray[np.float64]
_SHARED_NODES = 17
_MEAN_NODES = 33
_FIRST_MEMBERS = 8
_GROWTH = 4
_LEAST_STAGES = 3
_NEGLIGIBLE = 1e-6
_SHARED_REACH = 5.0
_QUADRATURE = 7
_MEAN_REACH = 12.0
_SMALLEST_DENSITY = 1e-30
_FACTORS_PER_LOG = 8


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells of a prior; arrays of shape (n_cells,).

    Attributes
    ----------
    share : ndarray
        Share of the members in the base component, below 1.
    spread : ndarray
        Deviation of the effects in the other component.
    base : ndarray
        Deviation of the effects in the base component; 0 where its members have none.
    prior : ndarray
        Prior probability.
    """

    share: Float
    spread: Float
    base: Float
    prior: Float

    def where(self, chosen: NDArray[np.bool_]) -> "Cells":
        """Return some of the cells."""
        return Cells(
            share=self.share[chosen], spread=self.spread[chosen], base=self.base[chosen], prior=self.prior[chosen]
        )


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Posterior weights of the prior parameters over cells whose bases are of one kind.

    Attributes
    ----------
    cells : Cells
    base : ndarray of shape (n_cells, n_base)
        Values of ``a``, where members of the base component are measured.
    mean : ndarray of shape (n_cells, n_mean)
        Values of ``b``, where those of the other component are.
    weight : ndarray of shape (n_cells, n_base, n_mean)
        Sums to 1.
    log_evidence : float
        Log of the prior-weighted likelihood of all cells.
    base_density : ndarray of shape (n_members, n_cells, n_base)
        Density of each measurement in the base component, in units of the member's largest.
    effect_density : ndarray of shape (n_members, n_cells, n_mean)
        The same in the other component.
    """

    cells: Cells
    base: Float
    mean: Float
    weight: Float
    log_evidence: float
    base_density: Float
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
        Mean effects are ``scale`` times Student's t with ``degrees`` degrees of freedom.
    """

    measured: Float
    variance: Float
    common_se: float
    scale: float
    degrees: float


def integrate(problem: Problem, cells: Cells) -> Lattice:
    """Find the posterior of the prior parameters over cells whose bases are of one kind."""
    n = len(problem.measured)
    ascending = np.argsort(problem.measured, kind="stable")
    base, mean = _first_box(problem, cells)
    used, stage = min(_FIRST_MEMBERS, n), 1
    while True:
        members = np.sort(ascending[(2 * np.arange(used) + 1) * n // (2 * max(used, 1))])
        lattice = _evaluate(problem, cells, base, mean, members)
        if used == n and stage >= _LEAST_STAGES:
            return lattice
        if stage > 1:
            mass = lattice.weight.sum(axis=(1, 2))
            lattice = _with_cells(lattice, mass >= _NEGLIGIBLE * mass.max())
        cells = lattice.cells
        base = _zoomed(lattice.base, lattice.weight.sum(axis=2))
        mean = _zoomed(lattice.mean, lattice.weight.sum(axis=1))
        used, stage = min(used * _GROWTH, n), stage + 1


def log_all_null(problem: Problem) -> float:
    """Log density of measurements without effects: normal, with one shared error (Sherman & Morrison's inverse)."""
    measured, variance, common_se = problem.measured, problem.variance, problem.common_se
    precision = 1 / variance
    spread = 1 + common_se**2 * precision.sum()
    square = (measured**2 * precision).sum() - common_se**2 * (measured * precision).sum() ** 2 / spread
    return float(-0.5 * (square + np.log(2 * np.pi * variance).sum() + np.log(spread)))


def shared_error(problem: Problem, base: Float, mean: Float) -> tuple[Float, Float]:
    """Return nodes of the shared error, and their posterior weights given places ``a`` and ``b`` that have effects.

    Returns
    -------
    nodes : ndarray of shape (n_nodes,)
    log_weight : ndarray of shape (n_nodes, *base.shape)
        Not normalised: log of prior weight times the densities of both mean effects.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(_QUADRATURE if problem.common_se > 0 else 1)
    nodes = problem.common_se * points
    column = nodes.reshape(-1, *(1,) * base.ndim)
    log = _log_mean(problem, base - column) + _log_mean(problem, mean - column)
    return nodes, np.asarray(log + np.log(weights / weights.sum()).reshape(column.shape), dtype=np.float64)


def _first_box(problem: Problem, cells: Cells) -> tuple[Float, Float]:
    """Lay nodes over all shared errors and mean effects that are plausible before the evidence."""
    reach = _SHARED_REACH * problem.common_se
    low = min(-_MEAN_REACH * problem.scale - reach, float(problem.measured.min(initial=0.0)))
    high = max(_MEAN_REACH * problem.scale + reach, float(problem.measured.max(initial=0.0)))
    mean = np.linspace(low, high, _MEAN_NODES)
    shared = np.linspace(-reach, reach, _SHARED_NODES) if reach > 0 else np.zeros(1)
    base = mean if (cells.base > 0).any() else shared
    n_cells = len(cells.share)
    return np.tile(base, (n_cells, 1)), np.tile(mean, (n_cells, 1))


def _evaluate(problem: Problem, cells: Cells, base: Float, mean: Float, members: NDArray[np.int64]) -> Lattice:
    measured, variance = problem.measured[members], problem.variance[members]
    own = _log_density(measured[:, None, None] - base, variance[:, None, None] + (cells.base**2)[:, None])
    effect = _log_density(measured[:, None, None] - mean, variance[:, None, None] + (cells.spread**2)[:, None])
    top = np.maximum(own.max(axis=(1, 2)), effect.max(axis=(1, 2)))[:, None, None]
    base_density = np.maximum(np.exp(own - top), _SMALLEST_DENSITY)
    effect_density = np.maximum(np.exp(effect - top), _SMALLEST_DENSITY)
    log = _log_mixture(cells.share, base_density, effect_density) + float(top.sum())
    log += np.log(cells.prior)[:, None, None]
    log += _log_prior(problem, cells, base, mean)
    largest = float(log.max())
    weight = np.exp(log - largest)
    total = float(weight.sum())
    return Lattice(
        cells=cells,
        base=base,
        mean=mean,
        weight=weight / total,
        log_evidence=largest + float(np.log(total)),
        base_density=base_density,
        effect_density=effect_density,
    )


def _log_mixture(share: Float, base: Float, effect: Float) -> Float:
    """Sum over members of the log of the mixture density; shape (n_cells, n_base, n_mean).

    Densities are at most 1 and at least 1e-30, so eight of them are multiplied before one logarithm is taken.
    """
    in_base, in_other = share[:, None] * base, (1 - share)[:, None] * effect
    log = np.zeros((len(share), base.shape[2], effect.shape[2]))
    product, density = np.ones_like(log), np.empty_like(log)
    for member in range(len(base)):
        np.add(in_base[member, :, :, None], in_other[member, :, None, :], out=density)
        product *= density
        if member % _FACTORS_PER_LOG == _FACTORS_PER_LOG - 1:
            log += np.log(product)
            product.fill(1.0)
    return log + np.log(product)


def _log_prior(problem: Problem, cells: Cells, base: Float, mean: Float) -> Float:
    """Log prior of the places of both components, times the area of a node."""
    a, b = base[:, :, None], mean[:, None, :]
    area = np.log(_width(base))[:, :, None] + np.log(_width(mean))[:, None, :]
    if (cells.base > 0).any():
        _, log = shared_error(problem, *np.broadcast_arrays(a, b))
        return np.asarray(area + logsumexp(log, axis=0), dtype=np.float64)
    log_prior = np.asarray(area + _log_mean(problem, b - a), dtype=np.float64)
    if problem.common_se > 0:
        log_prior += _log_density(a, np.full(1, problem.common_se**2))
    return log_prior


def _log_mean(problem: Problem, mean: Float) -> Float:
    """Log density of Student's t for a mean effect."""
    degrees = problem.degrees
    constant = gammaln((degrees + 1) / 2) - gammaln(degrees / 2) - 0.5 * np.log(degrees * np.pi) - np.log(problem.scale)
    log: Float = constant - (degrees + 1) / 2 * np.log1p((mean / problem.scale) ** 2 / degrees)
    return log


def _log_density(distance: Float, variance: Float) -> Float:
    log: Float = -0.5 * (distance**2 / variance + np.log(2 * np.pi * variance))
    return log


def _with_cells(lattice: Lattice, kept: NDArray[np.bool_]) -> Lattice:
    return replace(
        lattice,
        cells=lattice.cells.where(kept),
        base=lattice.base[kept],
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
