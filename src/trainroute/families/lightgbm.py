"""LightGBM: gradient-boosted trees on histograms.

References
----------
Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, TrainingRows
from trainroute.families.boosters import (
    LightGBMModel,
    Rounds,
    fit_lightgbm,
    joined,
    lightgbm_parameters,
    load_lightgbm,
    refit_lightgbm,
)
from trainroute.records.vocabulary import Stage

_PARAMETERS = {
    "learning_rate": "learning_rate",
    "num_leaves": "leaves",
    "min_data_in_leaf": "min_rows_in_leaf",
    "feature_fraction": "feature_fraction",
    "bagging_fraction": "row_fraction",
    "lambda_l2": "l2_penalty",
    "max_bin": "bins",
}


class LightGBM(Family):
    """Gradient-boosted trees, leaf-wise; missing values go to the better side of each split."""

    name: ClassVar[str] = "LightGBM"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 200
    requires: ClassVar[tuple[str, ...]] = ("lightgbm",)
    fixed_seconds: ClassVar[float] = 0.05
    seconds_per_million_rows: ClassVar[float] = 80.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            "learning_rate": 0.1,
            "rounds": 300,
            "patience": 20,
            "rounds_without_validation": 60,
            "leaves": 15,
            "min_rows_in_leaf": 40,
            "feature_fraction": 0.7,
            "row_fraction": 0.8,
            "l2_penalty": 1.0,
            "bins": 127,
            "refit": True,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        parameters = lightgbm_parameters(context, _PARAMETERS)
        booster = fit_lightgbm(train, validation, parameters, Rounds.of(context))
        if context.hyperparameters["refit"] and len(validation):
            booster = refit_lightgbm(joined(train, validation), parameters, booster.current_iteration())
        return LightGBMModel(booster)

    def load(self, folder: Path) -> FittedModel:
        """Read back the text model."""
        return load_lightgbm(folder)
