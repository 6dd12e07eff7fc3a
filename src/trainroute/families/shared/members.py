"""Three models that see the same rows differently, for the families that combine them.

Boosted trees, random trees (a forest of extremely randomised ones), and a linear model.

References
----------
Geurts, Ernst & Wehenkel, "Extremely Randomized Trees", Machine Learning 63, 2006.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import FitContext, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import (
    BOOSTING_HYPERPARAMETERS,
    LightGBMModel,
    Rounds,
    fit_lightgbm,
    lightgbm_parameters,
    load_lightgbm,
    refit_lightgbm,
)
from trainroute.families.shared.linear import LinearModel, fit_linear, load_linear
from trainroute.records.vocabulary import Task

MEMBERS = ("boosted_trees", "random_trees", "linear")
_BOOSTED, _FOREST, _LINEAR = MEMBER_FILES = ("boosted_trees.txt", "random_trees.txt", "linear.npz")

MEMBER_LIBRARIES = ("lightgbm", "scipy", "sklearn", "threadpoolctl")
MEMBER_HYPERPARAMETERS: Mapping[str, Hyperparameter] = MappingProxyType(
    {
        **BOOSTING_HYPERPARAMETERS,
        "feature_fraction": 0.5,
        "row_fraction": 0.7,
        "forest_trees": 150,
        "linear_penalty": 0.01,
    }
)


@dataclass(frozen=True, kw_only=True)
class Members:
    """The three models, fitted on the same rows."""

    boosted: LightGBMModel
    forest: LightGBMModel
    linear: LinearModel

    @property
    def rounds(self) -> int:
        """The number of boosting rounds."""
        return self.boosted.booster.current_iteration()

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Return the members' predictions, stacked along the first axis in the order of `MEMBERS`."""
        return np.stack(
            [
                self.boosted.predict(rows, threads=threads),
                self.forest.predict(rows, threads=threads),
                self.linear.predict(rows.features),
            ]
        )

    def save(self, folder: Path) -> None:
        """Write each member in its own format (`MEMBER_FILES`)."""
        self.boosted.save(folder)
        self.forest.save(folder)
        self.linear.save(folder / _LINEAR)


def fit_members(train: TrainingRows, validation: TrainingRows, context: FitContext) -> Members:
    """Fit on ``train``; boosting stops by the loss on ``validation``."""
    boosted = fit_lightgbm(train, validation, lightgbm_parameters(context), Rounds.of(context))
    return _beside(LightGBMModel(boosted, _BOOSTED), train, context)


def refit_members(rows: TrainingRows, n_rounds: int, context: FitContext) -> Members:
    """Fit on all rows with a number of boosting rounds that is known."""
    boosted = refit_lightgbm(rows, lightgbm_parameters(context), n_rounds)
    return _beside(LightGBMModel(boosted, _BOOSTED), rows, context)


def load_members(folder: Path, task: Task) -> Members:
    """Read back what `Members.save` wrote."""
    return Members(
        boosted=load_lightgbm(folder, _BOOSTED),
        forest=load_lightgbm(folder, _FOREST),
        linear=load_linear(folder / _LINEAR, task),
    )


def _beside(boosted: LightGBMModel, rows: TrainingRows, context: FitContext) -> Members:
    forest = refit_lightgbm(rows, _forest_parameters(context), context.integer("forest_trees"))
    linear = fit_linear(rows, context=context, penalty=context.number("linear_penalty"))
    return Members(boosted=boosted, forest=LightGBMModel(forest, _FOREST), linear=linear)


def _forest_parameters(context: FitContext) -> dict[str, object]:
    own = {"boosting": "rf", "extra_trees": True, "lambda_l2": 0.0, "num_leaves": 4 * context.integer("leaves")}
    return lightgbm_parameters(context) | own
