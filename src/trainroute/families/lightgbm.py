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
from trainroute.families.shared.boosters import (
    BOOSTING_HYPERPARAMETERS,
    LightGBMModel,
    Rounds,
    fit_lightgbm,
    joined,
    lightgbm_parameters,
    load_lightgbm,
    refit_lightgbm,
)
from trainroute.records.vocabulary import Stage


class LightGBM(Family):
    """Gradient-boosted trees, leaf-wise; missing values go to the better side of each split."""

    name: ClassVar[str] = "LightGBM"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 200
    requires: ClassVar[tuple[str, ...]] = ("lightgbm",)
    fixed_seconds: ClassVar[float] = 0.05
    seconds_per_million_rows: ClassVar[float] = 80.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**BOOSTING_HYPERPARAMETERS, "refit": True}
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        parameters = lightgbm_parameters(context)
        booster = fit_lightgbm(train, validation, parameters, Rounds.of(context))
        if context.hyperparameters["refit"] and len(validation):
            booster = refit_lightgbm(joined(train, validation), parameters, booster.current_iteration())
        return LightGBMModel(booster)

    def load(self, folder: Path) -> FittedModel:
        """Read back the text model."""
        return load_lightgbm(folder)
