"""XGBoost: gradient-boosted trees, depth-wise, by the histogram method.

References
----------
Chen & Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import MIN_VALIDATION_ROWS, Rounds, joined
from trainroute.records.vocabulary import Stage, Task

if TYPE_CHECKING:
    from xgboost import Booster, QuantileDMatrix

_FILE = "model.ubj"
_OBJECTIVES = {Task.BINARY: "binary:logistic", Task.MULTICLASS: "multi:softprob", Task.REGRESSION: "reg:squarederror"}
_PARAMETERS = {
    "eta": "learning_rate",
    "max_depth": "depth",
    "min_child_weight": "min_child_weight",
    "colsample_bytree": "feature_fraction",
    "subsample": "row_fraction",
    "lambda": "l2_penalty",
    "max_bin": "bins",
}


class XGBoostModel(FittedModel):
    """An XGBoost booster, saved as XGBoost's UBJSON model."""

    def __init__(self, booster: "Booster") -> None:
        self.booster = booster

    @property
    def files(self) -> tuple[str, ...]:
        """The UBJSON model."""
        return (_FILE,)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The number of boosting rounds."""
        return {"rounds": self.booster.num_boosted_rounds()}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict probabilities or values; see `FittedModel.predict`."""
        self.booster.set_param({"nthread": threads})
        return np.asarray(self.booster.inplace_predict(rows.features, missing=np.nan), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the UBJSON model."""
        # Through Python, which notices a full disk.
        (folder / _FILE).write_bytes(self.booster.save_raw("ubj"))


class XGBoost(Family):
    """Gradient-boosted trees, depth-wise; missing values go to the better side of each split."""

    name: ClassVar[str] = "XGBoost"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 200
    requires: ClassVar[tuple[str, ...]] = ("xgboost",)
    fixed_seconds: ClassVar[float] = 0.1
    seconds_per_million_rows: ClassVar[float] = 120.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            "learning_rate": 0.1,
            "rounds": 300,
            "patience": 20,
            "rounds_without_validation": 60,
            "depth": 4,
            "min_child_weight": 10.0,
            "feature_fraction": 0.7,
            "row_fraction": 0.8,
            "l2_penalty": 1.0,
            "bins": 127,
            "refit": True,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        booster = _fit_until_it_stops(train, validation, _parameters(context), Rounds.of(context))
        if context.hyperparameters["refit"] and len(validation):
            import xgboost  # noqa: PLC0415 - heavy library

            data = _matrix(joined(train, validation), context.threads, context.integer("bins"))
            booster = xgboost.train(_parameters(context), data, num_boost_round=booster.num_boosted_rounds())
        return XGBoostModel(booster)

    def load(self, folder: Path) -> FittedModel:
        """Read back the UBJSON model."""
        from xgboost import Booster  # noqa: PLC0415 - heavy library

        return XGBoostModel(Booster(model_file=folder / _FILE))


def _parameters(context: FitContext) -> dict[str, object]:
    parameters: dict[str, object] = {
        "objective": _OBJECTIVES[context.task],
        "tree_method": "hist",
        "device": "cpu",
        "seed": context.seed,
        "nthread": context.threads,
        "verbosity": 0,
    }
    if context.task is Task.MULTICLASS:
        parameters["num_class"] = context.n_classes
    return parameters | {theirs: context.hyperparameters[ours] for theirs, ours in _PARAMETERS.items()}


def _fit_until_it_stops(
    train: TrainingRows, validation: TrainingRows, parameters: dict[str, object], rounds: Rounds
) -> "Booster":
    import xgboost  # noqa: PLC0415 - heavy library

    threads, bins = int(str(parameters["nthread"])), int(str(parameters["max_bin"]))
    data = _matrix(train, threads, bins)
    if len(validation) < MIN_VALIDATION_ROWS:
        return xgboost.train(parameters, data, num_boost_round=rounds.without_validation)
    return xgboost.train(
        parameters,
        data,
        num_boost_round=rounds.most,
        evals=[(_matrix(validation, threads, bins, reference=data), "validation")],
        callbacks=[xgboost.callback.EarlyStopping(rounds=rounds.patience, save_best=True)],
        verbose_eval=False,
    )


def _matrix(
    rows: TrainingRows, threads: int, bins: int, *, reference: "QuantileDMatrix | None" = None
) -> "QuantileDMatrix":
    from xgboost import QuantileDMatrix  # noqa: PLC0415 - heavy library

    return QuantileDMatrix(
        rows.features, label=rows.labels, missing=np.nan, max_bin=bins, nthread=threads, ref=reference
    )
