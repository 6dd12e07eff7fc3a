"""MLP: a plain dense network.

References
----------
Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323, 1986.
Ba, Kiros and Hinton, "Layer Normalization", 2016. Srivastava et al., "Dropout", JMLR 15, 2014.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from trainroute.families.base import FitContext, FittedModel, Hyperparameter, TrainingRows
from trainroute.families.shared.keras_family import SCHEDULE, KerasFamily, KerasModel, Question, train_network, trunk


class MLP(KerasFamily):
    """Hidden layers of dense units, each normalised and partly left out in training, and one output layer."""

    name: ClassVar[str] = "MLP"
    fixed_seconds: ClassVar[float] = 0.1
    seconds_per_step: ClassVar[float] = 0.008
    seconds_per_million_rows: ClassVar[float] = 45.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**SCHEDULE, "layers": 2, "width": 64, "dropout": 0.1}
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        question = Question.of(train, context)
        architecture = trunk(context, question.features.n_inputs, (question.block.size,))
        network = architecture.build(context.seed)
        details = train_network(
            network,
            (question.block,),
            question.examples(train),
            question.validation(validation),
            context,
        )
        return KerasModel(question, architecture, network, details)
