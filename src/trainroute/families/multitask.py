"""MultiTask: one trunk, a head for the target and one for each sibling target of the plan.

What the siblings teach about the features, the trunk keeps for the target. Each head's loss is the mean over the rows
whose label it knows. The target's own validation loss alone decides when to stop; predictions are its head's.

References
----------
Caruana, "Multitask Learning", Machine Learning 28, 1997.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from trainroute.families.base import FitContext, FittedModel, Hyperparameter, Siblings, TrainingRows
from trainroute.families.shared.keras_family import (
    SCHEDULE,
    KerasFamily,
    KerasModel,
    Question,
    answer_block,
    train_network,
    trunk,
)
from trainroute.networks.scaling import label_scaling
from trainroute.records.vocabulary import Task


class MultiTask(KerasFamily):
    """A shared trunk with a head per target; without siblings, with the target's own head only."""

    name: ClassVar[str] = "MultiTask"
    learns_siblings: ClassVar[bool] = True
    fixed_seconds: ClassVar[float] = 0.1
    seconds_per_step: ClassVar[float] = 0.009
    seconds_per_million_rows: ClassVar[float] = 65.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**SCHEDULE, "layers": 2, "width": 64, "dropout": 0.1, "head_width": 16, "sibling_weight": 1.0}
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        question = Question.of(train, context)
        siblings = _teaching(train.siblings, len(train))
        # All siblings together weigh as much as `sibling_weight` targets.
        weight = context.number("sibling_weight") / max(len(siblings.names), 1)
        blocks = (question.block, *(answer_block(task, weight=weight) for task in siblings.tasks))
        architecture = trunk(
            context,
            question.features.n_inputs,
            tuple(block.size for block in blocks),
            head_width=context.integer("head_width"),
        )
        network = architecture.build(context.seed)
        details = train_network(
            network,
            blocks,
            question.examples(train, siblings.labels),
            question.validation(validation, len(siblings.names)),
            context,
        )
        names = {"siblings": ", ".join(siblings.names)} if siblings.names else {}
        return KerasModel(question, architecture, network, {**details, **names})


def _teaching(siblings: Siblings | None, n_rows: int) -> Siblings:
    """Leave out siblings without two different labels; put the values of the others on one scale."""
    if siblings is None:
        return Siblings(names=(), tasks=(), labels=np.empty((n_rows, 0), dtype=np.float32))
    kept, columns = [], []
    for number, task in enumerate(siblings.tasks):
        labels = siblings.labels[:, number]
        known = labels[np.isfinite(labels)]
        if len(np.unique(known)) > 1:
            kept.append(number)
            columns.append(label_scaling(labels).scaled(labels) if task is Task.REGRESSION else labels)
    return Siblings(
        names=tuple(siblings.names[number] for number in kept),
        tasks=tuple(siblings.tasks[number] for number in kept),
        labels=np.stack(columns, axis=1) if columns else siblings.labels[:, :0],
    )
