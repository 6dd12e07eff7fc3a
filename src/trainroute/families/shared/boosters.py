"""LightGBM boosters as the families use them: one way to train, stop, refit, predict and save.

Training stops where the loss on the purged validation rows stops falling. Those rows are the most recent ones before
the holdout, so the booster is then fitted again, with the number of rounds found, on training and validation rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.records.vocabulary import Task

if TYPE_CHECKING:
    from lightgbm import Booster, Dataset

MIN_VALIDATION_ROWS = 50
"""Fewer validation rows say nothing about when to stop; the default number of rounds is used instead."""

BOOSTING_HYPERPARAMETERS: Mapping[str, Hyperparameter] = MappingProxyType(
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
    }
)
"""Names and defaults of what `Rounds.of` and `lightgbm_parameters` read."""

_NAMES = {
    "learning_rate": "learning_rate",
    "num_leaves": "leaves",
    "min_data_in_leaf": "min_rows_in_leaf",
    "feature_fraction": "feature_fraction",
    "bagging_fraction": "row_fraction",
    "lambda_l2": "l2_penalty",
    "max_bin": "bins",
}
_OBJECTIVES = {Task.BINARY: "binary", Task.MULTICLASS: "multiclass", Task.REGRESSION: "regression"}


class LightGBMModel(FittedModel):
    """A LightGBM booster, saved as LightGBM's text model."""

    def __init__(self, booster: "Booster", file_name: str = "model.txt") -> None:
        self.booster = booster
        self.file_name = file_name

    @property
    def files(self) -> tuple[str, ...]:
        """The text model."""
        return (self.file_name,)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The number of boosting rounds."""
        return {"rounds": self.booster.current_iteration()}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict probabilities or values; see `FittedModel.predict`."""
        return np.asarray(self.booster.predict(rows.features, num_threads=threads), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the text model."""
        # Through Python, which notices a full disk.
        (folder / self.file_name).write_text(self.booster.model_to_string(), encoding="utf-8", newline="\n")


def load_lightgbm(folder: Path, file_name: str = "model.txt") -> LightGBMModel:
    """Read back a text model."""
    from lightgbm import Booster  # noqa: PLC0415 - heavy library

    return LightGBMModel(Booster(model_file=folder / file_name), file_name)


def lightgbm_parameters(context: FitContext) -> dict[str, object]:
    """Return LightGBM's parameters: those of every fit here, and `BOOSTING_HYPERPARAMETERS` as the context has them."""
    parameters: dict[str, object] = {
        "objective": _OBJECTIVES[context.task],
        "seed": context.seed,
        "num_threads": context.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "bagging_freq": 1,
    }
    if context.task is Task.MULTICLASS:
        parameters["num_class"] = context.n_classes
    return parameters | {theirs: context.hyperparameters[ours] for theirs, ours in _NAMES.items()}


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How many boosting rounds to do.

    ``most`` with ``patience`` where there are validation rows, ``without_validation`` where there are none.
    """

    most: int
    patience: int
    without_validation: int

    @classmethod
    def of(cls, context: FitContext) -> "Rounds":
        """Read the hyperparameters ``rounds``, ``patience`` and ``rounds_without_validation``."""
        return cls(
            most=context.integer("rounds"),
            patience=context.integer("patience"),
            without_validation=context.integer("rounds_without_validation"),
        )


def fit_lightgbm(
    train: TrainingRows,
    validation: TrainingRows,
    parameters: Mapping[str, object],
    rounds: Rounds,
    *,
    weights: NDArray[np.float64] | None = None,
) -> "Booster":
    """Fit on ``train``, each row with its weight, until the loss on ``validation`` stops falling."""
    import lightgbm  # noqa: PLC0415 - heavy library

    data = _dataset(train, parameters, weights=weights)
    if len(validation) < MIN_VALIDATION_ROWS:
        return lightgbm.train(dict(parameters), data, num_boost_round=rounds.without_validation)
    booster = lightgbm.train(
        dict(parameters),
        data,
        num_boost_round=rounds.most,
        valid_sets=[_dataset(validation, parameters, reference=data)],
        callbacks=[lightgbm.early_stopping(rounds.patience, verbose=False)],
    )
    return booster if booster.best_iteration <= 0 else _cut(booster, booster.best_iteration)


def refit_lightgbm(
    rows: TrainingRows,
    parameters: Mapping[str, object],
    n_rounds: int,
    *,
    weights: NDArray[np.float64] | None = None,
) -> "Booster":
    """Fit on all rows, each with its weight, with a number of rounds that is known."""
    import lightgbm  # noqa: PLC0415 - heavy library

    return lightgbm.train(dict(parameters), _dataset(rows, parameters, weights=weights), num_boost_round=n_rounds)


def joined(first: TrainingRows, second: TrainingRows) -> TrainingRows:
    """Put two sets of rows under each other, sorted again by symbol, then time."""
    symbol = np.concatenate([first.symbol, second.symbol])
    time = np.concatenate([first.time, second.time])
    order = np.lexsort((time, symbol))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    features = np.empty((len(order), first.features.shape[1]), dtype=np.float32)
    features[place[: len(first)]] = first.features
    features[place[len(first) :]] = second.features
    usable_from = None
    if first.usable_from is not None and second.usable_from is not None:
        usable_from = np.concatenate([first.usable_from, second.usable_from])[order]
    return TrainingRows(
        features=features,
        labels=np.concatenate([first.labels, second.labels])[order],
        symbol=symbol[order],
        time=time[order],
        feature_names=first.feature_names,
        usable_from=usable_from,
    )


def _dataset(
    rows: TrainingRows,
    parameters: Mapping[str, object],
    *,
    reference: "Dataset | None" = None,
    weights: NDArray[np.float64] | None = None,
) -> "Dataset":
    from lightgbm import Dataset  # noqa: PLC0415 - heavy library

    # Names are left out: LightGBM refuses some characters in them, and the manifest keeps their order.
    return Dataset(
        rows.features,
        label=rows.labels,
        weight=weights,
        params=dict(parameters),
        reference=reference,
        free_raw_data=True,
    )


def _cut(booster: "Booster", n_rounds: int) -> "Booster":
    from lightgbm import Booster  # noqa: PLC0415 - heavy library

    return Booster(model_str=booster.model_to_string(num_iteration=n_rounds))
