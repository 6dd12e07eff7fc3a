"""GMMRegime: a linear model per market regime, mixed by the chance of each regime given the rows so far.

1. Find the regimes of the training and validation rows, by features alone (`find_regimes`).
2. Compute the chance of each regime at each row, given this row and those before it.
3. Fit one linear model per regime; a row counts in it by its chance, and by a small share of the rest, so that models
   of rare regimes lean towards the one of all rows.
4. A prediction is the mean of the models' predictions, weighted by the chances of the regimes at its row.

There is nothing to stop early: validation rows are further training rows, the most recent ones.

References
----------
Hamilton, "A New Approach to the Economic Analysis of Nonstationary Time Series and the Business Cycle",
Econometrica 57, 1989.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import joined
from trainroute.families.shared.linear import LinearModel, fit_linear, load_linear
from trainroute.families.shared.regimes import Regimes, find_regimes, load_regimes
from trainroute.records.vocabulary import Stage, Task

_REGIMES, _INDEX = "regimes.npz", "gmm_regime.json"


class GMMRegimeModel(FittedModel):
    """Regimes, and a linear model for each."""

    def __init__(self, regimes: Regimes, models: tuple[LinearModel, ...]) -> None:
        self.regimes = regimes
        self.models = models

    @property
    def files(self) -> tuple[str, ...]:
        """The regimes' arrays, those of each model, and the task."""
        return (_REGIMES, *(_model_file(number) for number in range(len(self.models))), _INDEX)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The number of regimes; the share of each, and the chance that the next row is in it too."""
        regimes = self.regimes
        shares = {f"share_{number}": float(share) for number, share in enumerate(regimes.share)}
        stays = {f"stays_{number}": float(chance) for number, chance in enumerate(np.diagonal(regimes.transition))}
        return {"regimes": len(self.models), **shares, **stays}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict the mixture of the regimes' models; see `FittedModel.predict`."""
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - heavy library

        chances = self.regimes.chances(rows).T
        with threadpool_limits(limits=threads):
            members = [model.predict(rows.features) for model in self.models]
        mixed = np.zeros_like(members[0])
        for chance, member in zip(chances, members, strict=True):
            mixed += chance.reshape(-1, *[1] * (member.ndim - 1)) * member
        return mixed

    def save(self, folder: Path) -> None:
        """Write arrays as NumPy's npz, and the task as JSON."""
        self.regimes.save(folder / _REGIMES)
        for number, model in enumerate(self.models):
            model.save(folder / _model_file(number))
        index = {"task": str(self.models[0].task), "regimes": len(self.models)}
        (folder / _INDEX).write_bytes(msgspec.json.encode(index))


class GMMRegime(Family):
    """A linear model per regime of a Gaussian mixture, mixed by filtered chances."""

    name: ClassVar[str] = "GMMRegime"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 300
    reads_history: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = ("scipy", "sklearn", "threadpoolctl")
    fixed_seconds: ClassVar[float] = 0.3
    seconds_per_million_rows: ClassVar[float] = 60.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            "most_regimes": 3,
            "regime_features": 3,
            "min_regime_rows": 150,
            "most_mixture_rows": 20_000,
            "weight_of_other_regimes": 0.1,
            "linear_penalty": 0.01,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        import sklearn.mixture  # noqa: F401, PLC0415 - the limit reaches only libraries that are loaded
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - heavy library

        rows = joined(train, validation)
        with threadpool_limits(limits=context.threads):
            regimes = find_regimes(
                rows,
                most_directions=context.integer("regime_features"),
                most_regimes=context.integer("most_regimes"),
                min_rows=context.integer("min_regime_rows"),
                most_rows=context.integer("most_mixture_rows"),
                seed=context.seed,
            )
        known = ~np.isnan(rows.labels)
        chances = regimes.chances(rows)[known]
        labelled = TrainingRows(
            features=rows.features[known],
            labels=rows.labels[known],
            symbol=rows.symbol[known],
            time=rows.time[known],
            feature_names=rows.feature_names,
        )
        others = context.number("weight_of_other_regimes")
        models = tuple(
            fit_linear(
                labelled,
                context=context,
                penalty=context.number("linear_penalty"),
                weights=chance + others * (1.0 - chance),
            )
            for chance in chances.T
        )
        return GMMRegimeModel(regimes, models)

    def load(self, folder: Path) -> FittedModel:
        """Read back the regimes and their models."""
        index = msgspec.json.decode((folder / _INDEX).read_bytes())
        task = Task(index["task"])
        models = tuple(load_linear(folder / _model_file(number), task) for number in range(index["regimes"]))
        return GMMRegimeModel(load_regimes(folder / _REGIMES), models)


def _model_file(number: int) -> str:
    return f"linear_{number}.npz"
