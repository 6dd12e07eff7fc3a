r"""Filters of a label's own course that honest skill cannot pass and a leak does.

Let c(k) be the correlation of a feature f(t) with the label y(t + k), and let the label's window be (t, t + h].
An honest feature predicts bar t + j with some strength g(j), so c(k) = g(k+1) + … + g(k+h). What is ahead, j ≥ 1, it
predicts less the further away: g is a sum of geometric decays, and so is c for k ≥ 0. What lies behind, j ≤ 0, it may
know in any way: a volatility contains its own past window. A feature that contains its label knows where the window
ends: c(k) is a multiple of the label's autocorrelation r(k), a line that ends at h (overlapping windows), and peaks at
k = 0 although every label y(t + k), k > -h, is as open as y(t).

1. Observables (`LabelCurve.observables`): c at 0, h/4, … 2h; and a comb of second differences, the sum over
   m = 0 … M of 2 c(-mh) - c(-mh - s) - c(-mh + s) with s = h/2. In g each tooth is a difference at its window's end and
   one at its beginning, so neighbouring teeth cancel: what the feature knows of the last M h bars drops out.
2. The honest cone: all c ≥ 0 from geometric decays, a fast drop (g(1) only) and a constant among them.
3. The filter: what is left of r after projection on the cone, in the metric of the noise, r(k - l) for a feature
   without memory. By the optimality conditions of non-negative least squares (Lawson & Hanson 1974, "Solving Least
   Squares Problems") the covariance with it is at most 0 for everything in the cone, and of all such filters it has the
   largest ratio of signal to noise for the label itself.

Feature and filtered label then need one covariance (`window_shape.py`), whatever the number of lags.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]
Lags = NDArray[np.int64]

SHORTEST_HORIZON = 4
_AHEAD_PER_HORIZON = 4
_DECAYS = (0.02, *np.geomspace(0.06, 16.0, 16), 1e4)  # time constants of honest decays, in horizons
_RIDGE = 0.02
_LEAST_SHAPE = 0.08


@dataclass(frozen=True)
class LabelCurve:
    """The lags that matter for labels of one horizon."""

    horizon: int

    @property
    def half(self) -> int:
        """Distance of the teeth's sides from their middle, in bars."""
        return self.horizon // 2

    @cached_property
    def ahead(self) -> Lags:
        """Lags 0 … 2h whose label starts at t or later."""
        steps = np.arange(2 * _AHEAD_PER_HORIZON + 1)
        return np.unique(np.round(steps * self.horizon / _AHEAD_PER_HORIZON).astype(np.int64))

    def lags(self, teeth: int) -> Lags:
        """All lags of a filter whose comb has ``teeth`` teeth (0: no comb), ascending."""
        return np.unique(np.r_[self.ahead, [lag for lag, _ in self.comb(teeth)]].astype(np.int64))

    def comb(self, teeth: int) -> list[tuple[int, float]]:
        """(lag, weight) of a comb of second differences."""
        h, s = self.horizon, self.half
        return [(lag, w) for m in range(teeth) for lag, w in ((-m * h, 2.0), (-m * h - s, -1.0), (-m * h + s, -1.0))]

    def observables(self, teeth: int) -> Floats:
        """Each observable as weights over ``lags(teeth)``, shape (n_observables, n_lags)."""
        lags = self.lags(teeth)
        comb = np.zeros(len(lags))
        for lag, weight in self.comb(teeth):
            comb[np.searchsorted(lags, lag)] += weight
        rows: Floats = np.array([lags == lag for lag in self.ahead], np.float64)
        return np.vstack([rows, comb]) if teeth else rows

    def honest(self, lags: Lags) -> Floats:
        """c(k) of honest decays over ``lags``, shape (n_lags, n_decays); what lies behind is unknown to them."""
        ahead = np.arange(3 * self.horizon)
        cumulated = [np.r_[0.0, np.cumsum(np.exp(-ahead / (d * self.horizon)))] for d in _DECAYS]
        first, last = np.maximum(lags, 0), np.maximum(lags + self.horizon, 0)
        return np.array([total[last] - total[first] for total in cumulated]).T

    def filter(self, autocorrelation: Floats, teeth: int) -> Floats | None:
        """Return the filter's weights over ``lags(teeth)``, or None where the label has no shape of its own.

        Parameters
        ----------
        autocorrelation : ndarray of shape (max lag distance + 1,)
            Of the label, by distance in rows.
        teeth : int

        Returns
        -------
        ndarray of shape (n_lags,)
            Scaled so that its covariance with a feature is the part of the label in it.
        """
        lags, observe = self.lags(teeth), self.observables(teeth)
        label = autocorrelation[np.abs(lags[:, None] - lags)]
        noise = observe @ (label + _RIDGE * np.eye(len(lags))) @ observe.T
        values, vectors = np.linalg.eigh(noise)
        whiten = vectors.T / np.sqrt(np.maximum(values, _RIDGE * values[-1]))[:, None]
        template = whiten @ observe @ autocorrelation[np.abs(lags)]
        decays = whiten @ observe @ self.honest(lags)
        decays /= np.linalg.norm(decays, axis=0)
        weights, distance = nnls(decays, template)
        if distance < _LEAST_SHAPE:
            return None
        left = template - decays @ weights
        result: Floats = (left @ whiten @ observe) / distance**2
        return result
