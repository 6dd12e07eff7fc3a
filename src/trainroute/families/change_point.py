"""ChangePoint: boosted trees on what is current, the rows since the relation between features and label last changed.

1. Find the last change in the training rows (`change_times`) and weigh the rows by it (`current_part`).
2. Boost until the loss on the validation rows stops falling.
3. Look again, in training and validation rows together, and boost on what is current there with the number of rounds
   found. If the change came after validation began, the loss on validation rows says nothing of the rows after it, and
   ``rounds_without_validation`` rounds are done.

Rows since the last change count fully. The rows before it are left out where at least ``min_current_rows`` rows are
current; else they all count by the weight that makes the total ``min_current_rows``. Without a change all rows count
fully. A change since which all labels are equal is passed over for the one before it.

References
----------
Truong, Oudre, Vayatis, "Selective Review of Offline Change Point Detection Methods", Signal Processing 167, 2020.
Pesaran, Timmermann, "Selection of Estimation Window in the Presence of Breaks", Journal of Econometrics 137, 2007 (some
rows from before the break may serve).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import (
    BOOSTING_HYPERPARAMETERS,
    MIN_VALIDATION_ROWS,
    LightGBMModel,
    Rounds,
    fit_lightgbm,
    joined,
    lightgbm_parameters,
    load_lightgbm,
    refit_lightgbm,
)
from trainroute.families.shared.changes import change_times
from trainroute.records.vocabulary import Stage

if TYPE_CHECKING:
    from lightgbm import Booster

_INDEX = "change_point.json"


@dataclass(frozen=True, kw_only=True)
class CurrentPart:
    """The rows to learn from, and how much each counts.

    Attributes
    ----------
    rows : TrainingRows
        Those of weight above 0.
    weights : ndarray of shape (n_rows,), float64
    changes : int
        How many changes were found.
    since : int
        The first timestamp that is current, as a position among all timestamps of the panel.
    current_rows : int
    earlier_weight : float
        What each row before ``since`` counts.
    """

    rows: TrainingRows
    weights: NDArray[np.float64]
    changes: int
    since: int
    current_rows: int
    earlier_weight: float

    @property
    def details(self) -> dict[str, float | int | str]:
        """What the manifest records."""
        return {
            "changes": self.changes,
            "current_since": self.since,
            "current_rows": self.current_rows,
            "weight_of_earlier_rows": self.earlier_weight,
        }


class ChangePointModel(FittedModel):
    """A LightGBM booster, and what was current when it was fitted."""

    def __init__(self, booster: "Booster", current: Mapping[str, float | int | str]) -> None:
        self.model = LightGBMModel(booster)
        self.current = current

    @property
    def files(self) -> tuple[str, ...]:
        """The text model, and what was current as JSON."""
        return (*self.model.files, _INDEX)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The changes, since when rows are current, how much others count, and the number of rounds."""
        return {**self.current, **self.model.details}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict probabilities or values; see `FittedModel.predict`."""
        return self.model.predict(rows, threads=threads)

    def save(self, folder: Path) -> None:
        """Write the text model, and what was current as JSON."""
        self.model.save(folder)
        (folder / _INDEX).write_bytes(msgspec.json.encode(dict(self.current)))


class ChangePoint(Family):
    """Boosted trees on the rows since the last change of the relation between features and label."""

    name: ClassVar[str] = "ChangePoint"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 300
    requires: ClassVar[tuple[str, ...]] = ("lightgbm", "ruptures")
    extra: ClassVar[str | None] = "cpu"
    fixed_seconds: ClassVar[float] = 0.3
    seconds_per_million_rows: ClassVar[float] = 100.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            **BOOSTING_HYPERPARAMETERS,
            "most_points": 400,
            "most_features": 4,
            "penalty": 1.25,
            "min_current_rows": 1000,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        parameters, rounds = lightgbm_parameters(context), Rounds.of(context)
        now = _current_part(train, context)
        booster = fit_lightgbm(now.rows, validation, parameters, rounds, weights=now.weights)
        if len(validation) >= MIN_VALIDATION_ROWS:
            now = _current_part(joined(train, validation), context)
            measured = now.since <= int(validation.time.min())
            n_rounds = booster.current_iteration() if measured else rounds.without_validation
            booster = refit_lightgbm(now.rows, parameters, n_rounds, weights=now.weights)
        return ChangePointModel(booster, now.details)

    def load(self, folder: Path) -> FittedModel:
        """Read back the text model and what was current."""
        current = msgspec.json.decode((folder / _INDEX).read_bytes())
        return ChangePointModel(load_lightgbm(folder).booster, current)


def _current_part(rows: TrainingRows, context: FitContext) -> CurrentPart:
    changes = change_times(
        rows,
        most_points=context.integer("most_points"),
        most_features=context.integer("most_features"),
        penalty=context.number("penalty"),
    )
    return current_part(rows, changes, min_current_rows=context.integer("min_current_rows"))


def current_part(rows: TrainingRows, changes: Sequence[int], *, min_current_rows: int) -> CurrentPart:
    """Weigh rows by the last of the changes since which labels differ.

    Parameters
    ----------
    rows : TrainingRows
    changes : sequence of int
        First timestamps of the segments after the first one, ascending.
    min_current_rows : int
    """
    since = int(rows.time.min())
    for change in reversed(changes):
        if len(np.unique(rows.labels[rows.time >= change])) > 1:
            since = change
            break
    current = rows.time >= since
    n_current = int(current.sum())
    n_earlier = len(rows) - n_current
    weight = min(1.0, max(0.0, min_current_rows - n_current) / n_earlier) if n_earlier else 0.0
    weights = np.where(current, 1.0, weight)
    kept = weights > 0.0
    return CurrentPart(
        rows=replace(
            rows,
            features=rows.features[kept],
            labels=rows.labels[kept],
            symbol=rows.symbol[kept],
            time=rows.time[kept],
            usable_from=None,
            siblings=None,
        ),
        weights=weights[kept],
        changes=len(changes),
        since=since,
        current_rows=n_current,
        earlier_weight=weight,
    )
