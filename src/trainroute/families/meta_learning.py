"""MetaLearning: a model that learns how far to trust other models, from what they predicted without having seen it.

1. Fit the base learners (`shared/members.py`) on the training rows, to find by the validation rows when boosting stops.
2. Cut the training rows into blocks of equal numbers of timestamps. For every block but the first, fit the base
   learners on those rows before it whose labels were known when it began, and predict it (`purged_folds`).
3. Fit the meta learner on these predictions: ``a·u + b`` with ``a ≥ 0``, where ``u`` are the base learners' values, or
   their log-odds or logarithms of probabilities for classes (`fit_meta`). A penalty pulls ``a`` towards equal weights.
4. Fit the base learners again on training and validation rows.

The validation rows teach the meta learner nothing: the boosted learner was stopped by them, so that it looks better
there than it is.

References
----------
Wolpert, "Stacked Generalization", Neural Networks 5, 1992.
Ting & Witten, "Issues in Stacked Generalization", Journal of Artificial Intelligence Research 10, 1999 (probabilities
as inputs, non-negative weights).
López de Prado, "Advances in Financial Machine Learning", 2018, chapter 7 (purging).
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.errors import TrainingError
from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import joined
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
from trainroute.families.shared.ranges import check_numbers
from trainroute.families.shared.stacking import MIN_BASE_ROWS, Meta, fit_meta, purged_folds, taken
from trainroute.records.vocabulary import Stage, Task

_INDEX = "meta.json"


class MetaLearningModel(FittedModel):
    """The base learners and the meta learner on top of them.

    ``n_predicted`` is the number of rows that taught the meta learner.
    """

    def __init__(self, members: Members, meta: Meta, n_predicted: int) -> None:
        self.members = members
        self.meta = meta
        self.n_predicted = n_predicted

    @property
    def files(self) -> tuple[str, ...]:
        """The base learners' files, and the meta learner."""
        return (*MEMBER_FILES, _INDEX)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The weights of the base learners, the rows behind them, and the number of boosting rounds."""
        weights = {f"weight_{name}": weight for name, weight in zip(MEMBERS, self.meta.weights.tolist(), strict=True)}
        return {**weights, "out_of_fold_rows": self.n_predicted, "rounds": self.members.rounds}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict by the meta learner; see `FittedModel.predict`."""
        return self.meta.predict(self.members.predict(rows, threads=threads))

    def save(self, folder: Path) -> None:
        """Write each base learner in its own format, and the meta learner as JSON."""
        self.members.save(folder)
        index = {
            "task": str(self.meta.task),
            "weights": self.meta.weights.tolist(),
            "intercept": self.meta.intercept.tolist(),
            "out_of_fold_rows": self.n_predicted,
        }
        (folder / _INDEX).write_bytes(msgspec.json.encode(index))


class MetaLearning(Family):
    """Boosted trees, random trees and a linear model, stacked by what they predict out of fold."""

    name: ClassVar[str] = "MetaLearning"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 300
    requires: ClassVar[tuple[str, ...]] = MEMBER_LIBRARIES
    fixed_seconds: ClassVar[float] = 0.5
    seconds_per_million_rows: ClassVar[float] = 600.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**MEMBER_HYPERPARAMETERS, "folds": 4, "meta_penalty": 0.02}
    )

    @classmethod
    def resolve(cls, overrides: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Merge overrides into the defaults; see `Family.resolve`.

        Raises
        ------
        ConfigError
            If ``folds`` is not positive or ``meta_penalty`` is negative, too.
        """
        resolved = super().resolve(overrides)
        check_numbers(cls.name, resolved, positive=("folds",), at_least_0=("meta_penalty",))
        return resolved

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        import scipy.optimize  # noqa: F401, PLC0415 - the limit reaches only libraries that are loaded
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - heavy library

        found = fit_members(train, validation, context)
        with threadpool_limits(limits=context.threads):
            predicted, rows = out_of_fold(train, found.rounds, context)
            meta = fit_meta(predicted, rows.labels, context, penalty=context.number("meta_penalty"))
        members = refit_members(joined(train, validation), found.rounds, context) if len(validation) else found
        return MetaLearningModel(members, meta, len(rows))

    def load(self, folder: Path) -> FittedModel:
        """Read back the base learners and the meta learner."""
        index = msgspec.json.decode((folder / _INDEX).read_bytes())
        meta = Meta(
            task=Task(index["task"]),
            weights=np.array(index["weights"], dtype=np.float64),
            intercept=np.array(index["intercept"], dtype=np.float64),
        )
        return MetaLearningModel(load_members(folder, meta.task), meta, index["out_of_fold_rows"])


def out_of_fold(rows: TrainingRows, n_rounds: int, context: FitContext) -> tuple[NDArray[np.float64], TrainingRows]:
    """Predict rows by base learners that know only labels from before.

    Returns
    -------
    predicted : ndarray of shape (n_members, n_predicted) or (n_members, n_predicted, n_classes), float64
    rows : TrainingRows
        The rows that were predicted; those of the first block, and of blocks with too little before them, are not.

    Raises
    ------
    TrainingError
        If the rows do not say from when their labels may be used.
    """
    if rows.usable_from is None:
        raise TrainingError(
            f"{MetaLearning.name}: the training rows do not say when their labels end; "
            "expected TrainingRows.usable_from, by which the folds are purged"
        )
    parts, places = [np.empty((len(MEMBERS), 0, *_width(context)))], [np.empty(0, dtype=np.intp)]
    for known, asked in purged_folds(rows.time, rows.usable_from, context.integer("folds")):
        past = taken(rows, known)
        if len(past) < MIN_BASE_ROWS or past.labels.min() == past.labels.max():
            continue
        members = refit_members(past, n_rounds, context)
        parts.append(members.predict(taken(rows, asked), threads=context.threads))
        places.append(asked)
    return np.concatenate(parts, axis=1), taken(rows, np.concatenate(places))


def _width(context: FitContext) -> tuple[int, ...]:
    return (context.n_classes,) if context.task is Task.MULTICLASS else ()
