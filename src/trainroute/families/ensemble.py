"""Ensemble: boosted trees, a forest of random trees, and a linear model, weighted on purged validation rows.

1. Fit each member on the training rows (`_members`).
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
from trainroute.families.boosters import (
    MIN_VALIDATION_ROWS,
    LightGBMModel,
    Rounds,
    fit_lightgbm,
    joined,
    lightgbm_parameters,
    load_lightgbm,
    refit_lightgbm,
)
from trainroute.families.linear import LinearModel, fit_linear, load_linear
from trainroute.records.vocabulary import Stage, Task

_BOOSTED, _FOREST, _LINEAR, _INDEX = "boosted_trees.txt", "random_trees.txt", "linear.npz", "ensemble.json"
_MEMBERS = ("boosted_trees", "random_trees", "linear")
_NEGLIGIBLE = 1e-9
_SHARED = {
    "num_leaves": "leaves",
    "min_data_in_leaf": "min_rows_in_leaf",
    "feature_fraction": "feature_fraction",
    "max_bin": "bins",
}


class EnsembleModel(FittedModel):
    """The weighted mean of three members' predictions."""

    def __init__(
        self, boosted: LightGBMModel, forest: LightGBMModel, linear: LinearModel, weights: NDArray[np.float64]
    ) -> None:
        self.boosted = boosted
        self.forest = forest
        self.linear = linear
        self.weights = weights

    @property
    def files(self) -> tuple[str, ...]:
        """Two text models, the linear model's arrays, and the weights."""
        return (_BOOSTED, _FOREST, _LINEAR, _INDEX)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The members' weights and the number of boosting rounds."""
        weights = {f"weight_{name}": float(weight) for name, weight in zip(_MEMBERS, self.weights, strict=True)}
        return {**weights, "rounds": self.boosted.booster.current_iteration()}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict the weighted mean; see `FittedModel.predict`."""
        members = self.member_predictions(rows, threads=threads)
        return np.asarray(np.tensordot(self.weights, members, axes=1), dtype=np.float64)

    def member_predictions(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Return the members' predictions, stacked along the first axis."""
        return np.stack(
            [
                self.boosted.predict(rows, threads=threads),
                self.forest.predict(rows, threads=threads),
                self.linear.predict(rows.features),
            ]
        )

    def save(self, folder: Path) -> None:
        """Write each member in its own format, and the weights as JSON."""
        self.boosted.save(folder)
        self.forest.save(folder)
        self.linear.save(folder / _LINEAR)
        index = {"task": str(self.linear.task), "weights": dict(zip(_MEMBERS, self.weights.tolist(), strict=True))}
        (folder / _INDEX).write_bytes(msgspec.json.encode(index))


class Ensemble(Family):
    """Boosted trees, random trees and a linear model, averaged with weights from purged validation rows."""

    name: ClassVar[str] = "Ensemble"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 300
    requires: ClassVar[tuple[str, ...]] = ("lightgbm", "scipy", "sklearn", "threadpoolctl")
    fixed_seconds: ClassVar[float] = 0.2
    seconds_per_million_rows: ClassVar[float] = 220.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            "learning_rate": 0.1,
            "rounds": 300,
            "patience": 20,
            "rounds_without_validation": 60,
            "leaves": 15,
            "min_rows_in_leaf": 40,
            "feature_fraction": 0.5,
            "row_fraction": 0.7,
            "l2_penalty": 1.0,
            "bins": 127,
            "forest_trees": 150,
            "linear_penalty": 0.01,
            "equal_weight_share": 0.5,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        model = _members(train, validation, context)
        if len(validation) < MIN_VALIDATION_ROWS:
            return model
        weights = member_weights(
            model.member_predictions(validation, threads=context.threads), validation.labels, context
        )
        rows = joined(train, validation)
        boosted = refit_lightgbm(rows, _boosted_parameters(context), model.boosted.booster.current_iteration())
        return _assemble(LightGBMModel(boosted, _BOOSTED), rows, weights, context)

    def load(self, folder: Path) -> FittedModel:
        """Read back the members and their weights."""
        index = msgspec.json.decode((folder / _INDEX).read_bytes())
        return EnsembleModel(
            load_lightgbm(folder, _BOOSTED),
            load_lightgbm(folder, _FOREST),
            load_linear(folder / _LINEAR, Task(index["task"])),
            np.array([index["weights"][name] for name in _MEMBERS], dtype=np.float64),
        )


def _members(train: TrainingRows, validation: TrainingRows, context: FitContext) -> EnsembleModel:
    boosted = fit_lightgbm(train, validation, _boosted_parameters(context), Rounds.of(context))
    equal = np.full(len(_MEMBERS), 1.0 / len(_MEMBERS))
    return _assemble(LightGBMModel(boosted, _BOOSTED), train, equal, context)


def _assemble(
    boosted: LightGBMModel, rows: TrainingRows, weights: NDArray[np.float64], context: FitContext
) -> EnsembleModel:
    forest = refit_lightgbm(rows, _forest_parameters(context), context.integer("forest_trees"))
    linear = fit_linear(rows, context=context, penalty=context.number("linear_penalty"))
    return EnsembleModel(boosted, LightGBMModel(forest, _FOREST), linear, weights)


def _boosted_parameters(context: FitContext) -> dict[str, object]:
    own = {"learning_rate": "learning_rate", "bagging_fraction": "row_fraction", "lambda_l2": "l2_penalty"}
    return lightgbm_parameters(context, _SHARED | own)


def _forest_parameters(context: FitContext) -> dict[str, object]:
    parameters = lightgbm_parameters(context, _SHARED | {"bagging_fraction": "row_fraction"})
    return parameters | {"boosting": "rf", "extra_trees": True, "num_leaves": 4 * context.integer("leaves")}


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
