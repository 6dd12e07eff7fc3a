"""Ensemble: boosted trees, a forest of random trees, and a linear model, weighted on purged validation rows.

1. Fit each member on the training rows (`fit_members`).
2. Find the non-negative weights, adding up to one, under which the members' mean comes nearest to the validation
   labels in squared error (the Brier score for classes), shrunk towards equal weights (`member_weights`).
3. Fit each member again on training and validation rows.

References
----------
Breiman, "Stacked Regressions", Machine Learning 24, 1996 (non-negative weights).
Timmermann, "Forecast Combinations", Handbook of Economic Forecasting, 2006 (shrinking towards equal weights).
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import MIN_VALIDATION_ROWS, joined
from trainroute.families.shared.members import (
    MEMBER_FILES,
    MEMBER_HYPERPARAMETERS,
    MEMBER_LIBRARIES,
    MEMBERS,
    Members,
    fit_members,
    load_members,
    refit_members,
)
from trainroute.records.vocabulary import Stage, Task

_INDEX = "ensemble.json"
_NEGLIGIBLE = 1e-9


class EnsembleModel(FittedModel):
    """The weighted mean of three members' predictions."""

    def __init__(self, members: Members, weights: NDArray[np.float64]) -> None:
        self.members = members
        self.weights = weights

    @property
    def files(self) -> tuple[str, ...]:
        """Two text models, the linear model's arrays, and the weights."""
        return (*MEMBER_FILES, _INDEX)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The members' weights and the number of boosting rounds."""
        weights = {f"weight_{name}": float(weight) for name, weight in zip(MEMBERS, self.weights, strict=True)}
        return {**weights, "rounds": self.members.rounds}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict the weighted mean; see `FittedModel.predict`."""
        members = self.members.predict(rows, threads=threads)
        return np.asarray(np.tensordot(self.weights, members, axes=1), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write each member in its own format, and the weights as JSON."""
        self.members.save(folder)
        weights = dict(zip(MEMBERS, self.weights.tolist(), strict=True))
        index = {"task": str(self.members.linear.task), "weights": weights}
        (folder / _INDEX).write_bytes(msgspec.json.encode(index))


class Ensemble(Family):
    """Boosted trees, random trees and a linear model, averaged with weights from purged validation rows."""

    name: ClassVar[str] = "Ensemble"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 300
    requires: ClassVar[tuple[str, ...]] = MEMBER_LIBRARIES
    fixed_seconds: ClassVar[float] = 0.2
    seconds_per_million_rows: ClassVar[float] = 220.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**MEMBER_HYPERPARAMETERS, "equal_weight_share": 0.5}
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        members = fit_members(train, validation, context)
        if len(validation) < MIN_VALIDATION_ROWS:
            return EnsembleModel(members, np.full(len(MEMBERS), 1.0 / len(MEMBERS)))
        weights = member_weights(members.predict(validation, threads=context.threads), validation.labels, context)
        return EnsembleModel(refit_members(joined(train, validation), members.rounds, context), weights)

    def load(self, folder: Path) -> FittedModel:
        """Read back the members and their weights."""
        index = msgspec.json.decode((folder / _INDEX).read_bytes())
        weights = np.array([index["weights"][name] for name in MEMBERS], dtype=np.float64)
        return EnsembleModel(load_members(folder, Task(index["task"])), weights)


def member_weights(
    members: NDArray[np.float64], labels: NDArray[np.float32], context: FitContext
) -> NDArray[np.float64]:
    """Weights of the members, shape (n_members,): non-negative, adding up to one.

    Members were partly chosen on the same rows (when the boosted one stops), and validation rows overlap in time, so
    ``equal_weight_share`` of the weight is spread equally whatever the rows say.
    """
    from scipy.optimize import nnls  # noqa: PLC0415 - heavy library

    n_members = len(members)
    outcome = labels.astype(np.float64)
    if context.task is Task.MULTICLASS:
        outcome = np.eye(context.n_classes)[labels.astype(np.int64)]
    # With weights adding up to one, only distances from a common point matter; the mean of the members is a good one.
    centre = members.mean(axis=0)
    design = (members - centre).reshape(n_members, -1).T
    spread = float(np.sqrt((design**2).sum()))
    equal = np.full(n_members, 1.0 / n_members)
    if spread <= _NEGLIGIBLE * float(np.sqrt((members**2).sum())):
        return equal
    adds_up = 1e3 * spread
    system = np.vstack([design, np.full((1, n_members), adds_up)])
    found, _ = nnls(system, np.append((outcome - centre).ravel(), adds_up))
    share = context.number("equal_weight_share")
    return np.asarray(share * equal + (1.0 - share) * found / found.sum(), dtype=np.float64)
