"""How well routing expected what models then did on the holdout."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.records.results import Interval, RouteSkill

NO_SKILL = 0.5
_COVERED = 0.95


@dataclass(frozen=True)
class Expectation:
    """One model: what routing expected, what it scored on how many rows, and for which target."""

    expected: float
    realised: float
    rows: int
    target: str


def route_skill(models: Sequence[Expectation]) -> RouteSkill:
    """Compare expected with realised skill: mean difference, and the line through both, weighted by rows.

    The line is the regression of outcomes on forecasts of [1]_: intercept 0 and slope 1 where forecasts are right.
    Models of one target share rows and outcomes; the variance is the cluster-robust one of [2]_ with targets as
    clusters, the small-sample factor and the t quantiles (clusters − 1 degrees of freedom) of [3]_. With fewer than
    two targets there is no interval, and without at least two expected scores no line.

    References
    ----------
    .. [1] Mincer & Zarnowitz (1969), "The Evaluation of Economic Forecasts", in Economic Forecasts and Expectations,
       NBER.
    .. [2] Liang & Zeger (1986), "Longitudinal data analysis using generalized linear models", Biometrika 73(1).
    .. [3] Cameron & Miller (2015), "A Practitioner's Guide to Cluster-Robust Inference", Journal of Human Resources
       50(2), equations 11 to 13 and section VI.
    """
    expected = np.array([model.expected for model in models])
    realised = np.array([model.realised for model in models])
    weight = np.array([max(model.rows, 1) for model in models], dtype=np.float64)
    names, cluster = np.unique([model.target for model in models], return_inverse=True)
    ones = np.ones((len(models), 1))
    (difference,) = _fitted(ones, realised - expected, weight, cluster)
    intercept, slope = None, None
    if np.ptp(expected) > 0:
        design = np.hstack([ones, expected[:, None] - NO_SKILL])
        intercept, slope = _fitted(design, realised - NO_SKILL, weight, cluster)
    return RouteSkill(
        models=len(models),
        targets=len(names),
        expected_score=float(np.average(expected, weights=weight)),
        realised_score=float(np.average(realised, weights=weight)),
        difference=difference,
        slope=slope,
        intercept=intercept,
    )


def _fitted(
    design: NDArray[np.float64], outcome: NDArray[np.float64], weight: NDArray[np.float64], cluster: NDArray[np.intp]
) -> list[Interval]:
    """Return the weighted least-squares coefficients with their intervals.

    Parameters
    ----------
    design : ndarray of shape (n, k)
    outcome, weight, cluster : ndarray of shape (n,)
    """
    n, k = design.shape
    bread = np.linalg.inv(design.T @ (design * weight[:, None]))
    beta = bread @ (design.T @ (weight * outcome))
    n_clusters = int(cluster.max()) + 1
    if n_clusters <= k or n <= k:
        return [Interval(estimate=float(value)) for value in beta]
    from scipy.stats import t  # noqa: PLC0415 - slow to import, needed once a run

    score = np.zeros((n_clusters, k))
    np.add.at(score, cluster, design * (weight * (outcome - design @ beta))[:, None])
    factor = n_clusters / (n_clusters - 1) * (n - 1) / (n - k)
    variance = factor * np.diag(bread @ (score.T @ score) @ bread)
    reach = float(t.ppf((1 + _COVERED) / 2, n_clusters - 1)) * np.sqrt(variance)
    return [
        Interval(estimate=float(value), low=float(value - half), high=float(value + half))
        for value, half in zip(beta, reach, strict=True)
    ]
