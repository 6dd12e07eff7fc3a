"""RewardBased: positions that earn the most after costs and risk; nothing is fitted to the labels themselves.

1. Outcomes: ``2y − 1`` for the classes 0 and 1; for a value, its distance from the mean in standard deviations.
2. A position between −1 and 1 follows from the standardised features: ``p = tanh(w·x + b)`` (`RewardModel.positions`).
3. ``w`` and ``b`` maximise the mean reward over the training rows in their order, less a ridge penalty (`_fit_policy`).
   A row's reward is

       position × outcome − cost × |position − position before| − risk aversion / 2 × position²

   where "before" is the symbol's row before, and 0 at its first one (`mean_reward`).
4. The penalty is the one of three whose positions earn the most on the validation rows; the policy is then fitted again
   on training and validation rows.

The features decide a position alone, so that a row needs no rows before it; that changes of position cost is learnt.
Without costs and with a risk aversion of 1, the best position is the outcome's expectation. That is how a position is
read as a prediction: the probability ``(1 + p) / 2``, or the value ``mean + p × standard deviation``. Costs and a
higher risk aversion pull it towards ½ or the mean.

References
----------
Moody & Saffell, "Learning to Trade via Direct Reinforcement", IEEE Transactions on Neural Networks 12, 2001 (reward
after costs, maximised through the position).
Brandt, Santa-Clara & Valkanov, "Parametric Portfolio Policies", Review of Financial Studies 22, 2009.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import MIN_VALIDATION_ROWS, joined
from trainroute.families.shared.linear_scores import LinearScores, load_scores
from trainroute.families.shared.ranges import check_numbers
from trainroute.families.shared.scaling import column_statistics, standardised
from trainroute.records.vocabulary import Stage, Task

_FILE = "policy.npz"
_PENALTIES = (10.0, 1.0, 0.1)
"""Multiples of ``penalty`` that compete on the validation rows, strongest first."""
_MOST_ITERATIONS = 200
_SMALL_CHANGE = 1e-3
"""Changes of position below this cost less than in proportion, so that the reward has a gradient everywhere."""

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Reward:
    """What a position earns, in standard deviations of the outcome (regression) or half the distance of the classes.

    Attributes
    ----------
    cost : float
        Of a change of position by 1.
    risk_aversion : float
    """

    cost: float
    risk_aversion: float


def mean_reward(positions: Array, outcomes: Array, symbol: NDArray[np.int32], reward: Reward) -> float:
    """Return the mean reward of a row.

    Parameters
    ----------
    positions, outcomes : ndarray of shape (n_rows,)
    symbol : ndarray of shape (n_rows,)
        Rows are sorted by symbol, then time. Each symbol begins without a position.
    reward : Reward
    """
    turnover = np.abs(_changes(positions, _first_rows(symbol)))
    earned = positions * outcomes - reward.cost * turnover - 0.5 * reward.risk_aversion * positions**2
    return float(earned.mean())


class RewardModel(FittedModel):
    """A linear policy.

    Attributes
    ----------
    scores : LinearScores
        One output, whose tanh is the position. An outcome is a label's distance from ``label_mean`` in units of
        ``label_scale``; ½ and ½ for classes.
    penalty : float
    """

    def __init__(self, scores: LinearScores, penalty: float) -> None:
        self.scores = scores
        self.penalty = penalty

    @property
    def files(self) -> tuple[str, ...]:
        """The arrays."""
        return (_FILE,)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The penalty that earned the most on the validation rows."""
        return {"penalty": self.penalty}

    def positions(self, rows: Rows) -> Array:
        """Return the position of each row, shape (n_rows,), between −1 and 1."""
        return np.asarray(np.tanh(self.scores.of(rows.features)[:, 0]), dtype=np.float64)

    def predict(self, rows: Rows, *, threads: int = 1) -> Array:
        """Read the positions as probabilities or values; see `FittedModel.predict`."""
        del threads  # one product of a matrix and a vector
        return self.scores.as_labels(self.positions(rows))

    def save(self, folder: Path) -> None:
        """Write the arrays as NumPy's npz."""
        self.scores.save(folder / _FILE, penalty=np.array(self.penalty))


class RewardBased(Family):
    """Positions, linear in the features, that earn the most after costs and risk."""

    name: ClassVar[str] = "RewardBased"
    stage: ClassVar[Stage] = Stage.CPU
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.BINARY, Task.REGRESSION})
    min_rows: ClassVar[int] = 200
    requires: ClassVar[tuple[str, ...]] = ("scipy", "threadpoolctl")
    fixed_seconds: ClassVar[float] = 0.05
    seconds_per_million_rows: ClassVar[float] = 25.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {"cost": 0.01, "risk_aversion": 1.0, "penalty": 0.1}
    )

    @classmethod
    def resolve(cls, overrides: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Merge overrides into the defaults; see `Family.resolve`.

        Raises
        ------
        ConfigError
            If ``cost`` is negative, or ``risk_aversion`` or ``penalty`` is not positive, too.
        """
        resolved = super().resolve(overrides)
        check_numbers(cls.name, resolved, positive=("risk_aversion", "penalty"), at_least_0=("cost",))
        return resolved

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        penalty = context.number("penalty")
        if len(validation) < MIN_VALIDATION_ROWS:
            return _fit_policy(train, penalty, context)
        reward = _reward(context)
        best, best_earned = penalty, -np.inf
        for factor in _PENALTIES:
            model = _fit_policy(train, factor * penalty, context)
            outcomes = model.scores.from_labels(validation.labels)
            earned = mean_reward(model.positions(validation), outcomes, validation.symbol, reward)
            if earned > best_earned:
                best, best_earned = factor * penalty, earned
        return _fit_policy(joined(train, validation), best, context)

    def load(self, folder: Path) -> FittedModel:
        """Read back the arrays."""
        scores, more = load_scores(folder / _FILE)
        return RewardModel(scores, float(more["penalty"]))


def _reward(context: FitContext) -> Reward:
    return Reward(cost=context.number("cost"), risk_aversion=context.number("risk_aversion"))


def _fit_policy(rows: TrainingRows, penalty: float, context: FitContext) -> RewardModel:
    """Maximise the mean reward less ``penalty / 2 × |w|²`` by L-BFGS, from no position at all."""
    from scipy.optimize import minimize  # noqa: PLC0415 - heavy library
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - heavy library

    mean, scale = column_statistics(rows.features)
    start = LinearScores(mean=mean, scale=scale, weights=np.zeros((1, len(mean) + 1)), label_mean=0.5, label_scale=0.5)
    if context.task is Task.REGRESSION:
        start = start.in_units_of(rows.labels)
    with threadpool_limits(limits=context.threads):
        X = standardised(rows.features, mean, scale)
        found = minimize(
            _loss,
            start.weights[0],
            args=(X, start.from_labels(rows.labels), _first_rows(rows.symbol), _reward(context), penalty),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_ITERATIONS},
        )
    return RewardModel(replace(start, weights=np.asarray(found.x, dtype=np.float64)[None]), penalty)


def _loss(
    weights: Array, X: Array, outcomes: Array, first: NDArray[np.bool_], reward: Reward, penalty: float
) -> tuple[float, Array]:
    """Return the negative mean reward with its penalty, and the gradient.

    ``|change|`` is smoothed to ``√(change² + δ²) − δ`` with δ = `_SMALL_CHANGE`.
    """
    positions = np.tanh(X @ weights[:-1] + weights[-1])
    change = _changes(positions, first)
    length = np.sqrt(change**2 + _SMALL_CHANGE**2)
    earned = positions * outcomes - reward.cost * (length - _SMALL_CHANGE) - 0.5 * reward.risk_aversion * positions**2
    pull = reward.cost * change / length
    slope = outcomes - pull - reward.risk_aversion * positions
    # A position also sets how far the symbol's next row has to go.
    slope[:-1] += np.where(first[1:], 0.0, pull[1:])
    slope *= 1.0 - positions**2
    ridge = penalty * weights[:-1]
    gradient = np.append(ridge - X.T @ slope / len(X), -slope.mean())
    return float(0.5 * ridge @ weights[:-1] - earned.mean()), gradient


def _first_rows(symbol: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which rows are the first of their symbol."""
    return np.append(True, symbol[1:] != symbol[:-1])


def _changes(positions: Array, first: NDArray[np.bool_]) -> Array:
    before = np.where(first, 0.0, np.roll(positions, 1))
    return positions - before
