"""GAN: a conditional generator whose rows augment the training rows of a dense network.

Its predictive use: the generator learns how the features are distributed given the label (and given which of them are
missing), by a game against a discriminator (`trainroute.networks.keras_adversarial`). Rows that it makes up, under
labels drawn from the training rows, stand beside the real ones when the predictor is trained; validation rows are real.

References
----------
Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014.
Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014.
Antoniou, Storkey and Edwards, "Data Augmentation Generative Adversarial Networks", 2017.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import FitContext, FittedModel, Hyperparameter, TrainingRows
from trainroute.families.shared.keras_family import (
    SCHEDULE,
    KerasFamily,
    KerasModel,
    Question,
    load_keras_model,
    train_network,
    trunk,
)
from trainroute.networks.keras_adversarial import Game, GeneratorArchitecture, Table, generate, train_generator
from trainroute.networks.keras_dense import read_weights, write_weights
from trainroute.networks.keras_training import Examples
from trainroute.records.vocabulary import Task

if TYPE_CHECKING:
    from keras import Model

_GENERATOR, _GENERATOR_WEIGHTS = "generator.json", "generator.npz"


class GANModel(KerasModel):
    """The predictor, and the generator that augmented its rows."""

    def __init__(self, predictor: KerasModel, architecture: GeneratorArchitecture, generator: "Model") -> None:
        super().__init__(predictor.question, predictor.architecture, predictor.network, predictor.details)
        self.generator_architecture = architecture
        self.generator = generator

    @property
    def files(self) -> tuple[str, ...]:
        """The predictor's files, and the generator's architecture and weights."""
        return (*super().files, _GENERATOR, _GENERATOR_WEIGHTS)

    def generated(self, like: TrainingRows, *, seed: int) -> NDArray[np.float32]:
        """Make up one row for each given one, with its label and with the same values missing.

        Returns
        -------
        ndarray of shape (n_rows, n_values), float32
            Standardised values of the features that vary, 0 where missing.
        """
        table = _table(self.question, like)
        return generate(self.generator, table.conditions, table.present, np.random.default_rng(seed))

    def save(self, folder: Path) -> None:
        """Write the predictor and the generator."""
        super().save(folder)
        (folder / _GENERATOR).write_bytes(msgspec.json.encode(self.generator_architecture))
        write_weights(self.generator, folder / _GENERATOR_WEIGHTS)


class GAN(KerasFamily):
    """A dense network trained on real rows and on rows of a conditional generator."""

    name: ClassVar[str] = "GAN"
    fixed_seconds: ClassVar[float] = 1.8
    seconds_per_step: ClassVar[float] = 0.01
    seconds_per_million_rows: ClassVar[float] = 70.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            **SCHEDULE,
            "layers": 2,
            "width": 64,
            "dropout": 0.1,
            "generated_share": 0.5,
            "gan_steps": 120,
            "gan_learning_rate": 0.003,
            "gan_width": 64,
            "moment_weight": 0.3,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        question = Question.of(train, context)
        table = _table(question, train)
        generator_architecture = GeneratorArchitecture(
            n_values=table.values.shape[1],
            n_conditions=table.conditions.shape[1],
            noise=table.values.shape[1],
            width=context.integer("gan_width"),
        )
        generator = train_generator(generator_architecture, table, _game(context))
        architecture = trunk(context, question.features.n_inputs, (question.block.size,))
        network = architecture.build(context.seed)
        real = question.examples(train)
        made_up = _made_up(generator, table, real, round(context.number("generated_share") * len(train)), context.seed)
        examples = Examples(
            np.concatenate([real.inputs, made_up.inputs]), np.concatenate([real.labels, made_up.labels])
        )
        settled = train_network(network, (question.block,), examples, question.validation(validation), context)
        details = {**settled, "generated_rows": len(made_up)}
        return GANModel(KerasModel(question, architecture, network, details), generator_architecture, generator)

    def load(self, folder: Path) -> FittedModel:
        """Read back the predictor and the generator."""
        architecture = msgspec.json.decode((folder / _GENERATOR).read_bytes(), type=GeneratorArchitecture)
        generator = architecture.build()
        read_weights(generator, folder / _GENERATOR_WEIGHTS)
        return GANModel(load_keras_model(folder), architecture, generator)


def _table(question: Question, rows: TrainingRows) -> Table:
    """Split rows into values and the conditions under which they are generated: the label, and what is missing."""
    examples = question.examples(rows)
    values = question.values(rows)
    label = examples.labels
    if question.task is Task.BINARY:
        label = 2.0 * label - 1.0
    elif question.task is Task.MULTICLASS:
        label = np.eye(question.n_classes, dtype=np.float32)[label[:, 0].astype(np.intp)]
    missing = examples.inputs[:, values.shape[1] :]
    present = ~np.isnan(values)
    return Table(
        values=np.where(present, values, np.float32(0.0)),
        present=present.astype(np.float32),
        conditions=np.concatenate([label, missing], axis=1).astype(np.float32),
    )


def _made_up(generator: "Model", table: Table, real: Examples, n_rows: int, seed: int) -> Examples:
    """Generate rows under the labels, and with the missing values, of training rows drawn at random."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(table), size=n_rows)
    inputs = real.inputs[drawn]
    inputs[:, : table.values.shape[1]] = generate(generator, table.conditions[drawn], table.present[drawn], rng)
    return Examples(inputs, real.labels[drawn])


def _game(context: FitContext) -> Game:
    return Game(
        steps=context.integer("gan_steps"),
        batch_rows=context.integer("batch_rows"),
        learning_rate=context.number("gan_learning_rate"),
        moment_weight=context.number("moment_weight"),
        seed=context.seed,
        threads=context.threads,
    )
