"""Market regimes: a Gaussian mixture of a few slow features, and a filter that follows a symbol from row to row.

1. Features are standardised; the *regime features* are their first principal components, taken from means over
   ``_BLOCK`` rows of a symbol in a row, so that what lasts comes first and what changes with every row averages out.
2. Gaussian mixtures of 1, 2, … components are fitted to the rows' regime features; the smallest BIC decides, among
   those whose every component has rows enough.
3. The chances to go from one regime to another are those that make pairs of neighbouring rows likeliest
   (`transition_chances`).
4. The chance of each regime at a row, given this row and the rows before it, is computed forwards (`filtered`). It
   starts anew at the first row of a symbol and after every gap, from the share of each regime.

Nothing here reads a row's future.

References
----------
Hamilton, "A New Approach to the Economic Analysis of Nonstationary Time Series and the Business Cycle",
Econometrica 57, 1989, section 4 (the filter).
Rydén, "Consistent and Asymptotically Normal Parameter Estimates for Hidden Markov Models", Annals of Statistics 22,
1994 (likelihood of short groups of neighbours).
Schwarz, "Estimating the Dimension of a Model", Annals of Statistics 6, 1978 (BIC).
"""

import warnings
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Rows
from trainroute.families.shared.scaling import column_statistics, standardised

_BLOCK = 8
_ROWS_AT_ONCE = 1 << 15
_ROUNDS = 200
_SETTLED = 1e-6


@dataclass(frozen=True, kw_only=True)
class Regimes:
    """A Gaussian mixture in a few directions, and the chances to go from one component to another.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,), float64
        Statistics of the training rows.
    directions : ndarray of shape (n_directions, n_features), float64
        A regime feature is the sum of standardised features times one row of this.
    centres : ndarray of shape (n_regimes, n_directions), float64
    precision_roots : ndarray of shape (n_regimes, n_directions, n_directions), float64
        Upper triangular ``U`` with ``U @ U.T`` the inverse covariance.
    transition : ndarray of shape (n_regimes, n_regimes), float64
        From the regime of a row to that of the next one; rows add up to one.
    share : ndarray of shape (n_regimes,), float64
        The chance of each regime where nothing is known of the rows before.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    directions: NDArray[np.float64]
    centres: NDArray[np.float64]
    precision_roots: NDArray[np.float64]
    transition: NDArray[np.float64]
    share: NDArray[np.float64]

    def chances(self, rows: Rows) -> NDArray[np.float64]:
        """Return the chance of each regime at each row, given the rows up to it: shape (n_rows, n_regimes)."""
        points = project(rows.features, self.mean, self.scale, self.directions)
        density = log_densities(points, self.centres, self.precision_roots)
        return filtered(density, begins_anew(rows), self.transition, self.share)

    def save(self, path: Path) -> None:
        """Write the arrays as NumPy's npz."""
        np.savez(path, allow_pickle=False, **{field.name: getattr(self, field.name) for field in fields(self)})


def load_regimes(path: Path) -> Regimes:
    """Read back the arrays."""
    with np.load(path, allow_pickle=False) as arrays:
        return Regimes(**{field.name: arrays[field.name] for field in fields(Regimes)})


def find_regimes(
    rows: Rows, *, most_directions: int, most_regimes: int, min_rows: int, most_rows: int, seed: int
) -> Regimes:
    """Find the regimes of training rows; their labels play no part.

    Parameters
    ----------
    rows : Rows
    most_directions, most_regimes : int
    min_rows : int
        The fewest rows that a regime may stand for.
    most_rows : int
        The mixture and the transitions are estimated from at most so many rows, evenly spread.
    seed : int
    """
    mean, scale = column_statistics(rows.features)
    new = begins_anew(rows)
    directions = slow_directions(rows, new, mean, scale, most_directions)
    points = project(rows.features, mean, scale, directions)
    chosen = np.unique(np.linspace(0, len(points) - 1, min(most_rows, len(points))).astype(np.intp))
    centres, roots, share = _mixture(points[chosen], most_regimes, min_rows / len(points), seed)
    later = chosen[~new[chosen]]
    density = log_densities(points, centres, roots)
    transition, share = transition_chances(density[later - 1], density[later], share)
    return Regimes(
        mean=mean,
        scale=scale,
        directions=directions,
        centres=centres,
        precision_roots=roots,
        transition=transition,
        share=share,
    )


def begins_anew(rows: Rows) -> NDArray[np.bool_]:
    """Return where a symbol begins or goes on after a gap, shape (n_rows,)."""
    goes_on = (np.diff(rows.symbol) == 0) & (np.diff(rows.time) == 1)
    return np.concatenate([np.ones(min(1, len(rows)), dtype=np.bool_), ~goes_on])


def slow_directions(
    rows: Rows, new: NDArray[np.bool_], mean: NDArray[np.float64], scale: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """Return the principal components of means over blocks of neighbouring rows, shape (n_directions, n_features)."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - heavy library

    start = np.flatnonzero(new)
    place = np.arange(len(rows)) - np.repeat(start, np.diff(start, append=len(rows)))
    first = np.flatnonzero(place % _BLOCK == 0)
    length = np.diff(first, append=len(rows))
    blocks = np.add.reduceat(standardised(rows.features, mean, scale), first, axis=0) / length[:, None]
    n_directions = min(most, *blocks.shape)
    fitted = PCA(n_directions, svd_solver="full").fit(blocks)
    return np.asarray(fitted.components_, dtype=np.float64)


def project(
    features: NDArray[np.float32],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the regime features, shape (n_rows, n_directions); a row's do not depend on how many rows there are."""
    points = np.empty((len(features), len(directions)))
    for first in range(0, len(features), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        standard = standardised(features[part], mean, scale)
        for number, direction in enumerate(directions):
            points[part, number] = (standard * direction).sum(axis=1)
    return points


def log_densities(
    points: NDArray[np.float64], centres: NDArray[np.float64], precision_roots: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the logarithm of each normal density at each point, shape (n_points, n_regimes)."""
    n_directions = points.shape[1]
    found = np.empty((len(points), len(centres)))
    for number, (centre, root) in enumerate(zip(centres, precision_roots, strict=True)):
        distance = np.zeros(len(points))
        for column in root.T:
            distance += ((points - centre) * column).sum(axis=1) ** 2
        scale = np.log(np.diagonal(root)).sum() - 0.5 * n_directions * np.log(2.0 * np.pi)
        found[:, number] = scale - 0.5 * distance
    return found


def transition_chances(
    before: NDArray[np.float64], after: NDArray[np.float64], share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the transitions and shares under which pairs of neighbouring rows are likeliest, by EM.

    With ``b_i`` the density of regime ``i``, a pair ``(x, y)`` has the likelihood ``sum_ij Q_ij b_i(x) b_j(y)``; ``Q``
    is found, and the transitions are its rows, made to add up to one. One pair of each kind is added to those seen.

    Parameters
    ----------
    before, after : ndarray of shape (n_pairs, n_regimes)
        Logarithms of the densities at the two rows of each pair.
    share : ndarray of shape (n_regimes,)
    """
    first, second = _likelihoods(before), _likelihoods(after)
    n_pairs, n_regimes = first.shape
    joint = 0.5 * np.outer(share, share) + 0.5 * np.diag(share)
    for _ in range(_ROUNDS):
        pair = (first @ joint * second).sum(axis=1, keepdims=True)
        updated = (joint * (first.T @ (second / pair)) + 1.0) / (n_pairs + n_regimes**2)
        moved = float(np.abs(updated - joint).max())
        joint = updated
        if moved < _SETTLED:
            break
    return joint / joint.sum(axis=1, keepdims=True), 0.5 * (joint.sum(axis=0) + joint.sum(axis=1))


def filtered(
    log_density: NDArray[np.float64],
    new: NDArray[np.bool_],
    transition: NDArray[np.float64],
    share: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the chance of each regime at each row, given the row and those before it since the last new beginning.

    ``p_t`` is proportional to ``b(x_t) * (p_{t-1} @ transition)``, and to ``b(x_t) * share`` where the rows begin anew.
    All runs of rows go forward side by side, the longest first.

    Parameters
    ----------
    log_density : ndarray of shape (n_rows, n_regimes)
    new : ndarray of shape (n_rows,), bool
    transition : ndarray of shape (n_regimes, n_regimes)
    share : ndarray of shape (n_regimes,)
    """
    likelihood = _likelihoods(log_density)
    chances = np.empty_like(likelihood)
    start = np.flatnonzero(new)
    length = np.diff(start, append=len(new))
    order = np.argsort(-length, kind="stable")
    start, length = start[order], length[order]
    expected = np.repeat(share[None, :], len(start), axis=0)
    for step in range(int(length[0]) if len(length) else 0):
        running = int(np.searchsorted(-length, -step, side="left"))
        row = start[:running] + step
        now = expected[:running] * likelihood[row]
        now /= now.sum(axis=1, keepdims=True)
        chances[row] = now
        # Written out, so that a row's chances do not depend on how many runs go side by side.
        expected = np.zeros_like(now)
        for number, chances_from in enumerate(transition):
            expected += now[:, number, None] * chances_from
    return chances


def _likelihoods(log_density: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(log_density - log_density.max(axis=1, keepdims=True)), dtype=np.float64)


def _mixture(
    points: NDArray[np.float64], most_regimes: int, least_share: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return centres, precision roots and shares of the mixture with the smallest BIC."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - heavy library
    from sklearn.mixture import GaussianMixture  # noqa: PLC0415 - heavy library

    candidates = []
    with warnings.catch_warnings():
        # A mixture that has not settled, or has fewer distinct points than components, is judged by its BIC as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n_regimes in range(1, most_regimes + 1):
            mixture = GaussianMixture(n_regimes, reg_covar=1e-3, n_init=2, random_state=seed).fit(points)
            if n_regimes == 1 or mixture.weights_.min() >= least_share:
                candidates.append(mixture)
    best = min(candidates, key=lambda mixture: mixture.bic(points))
    return best.means_, best.precisions_cholesky_, best.weights_
