"""VAE: a variational autoencoder whose latent features predict.

Its predictive use: the encoder squeezes a row into a few latent features from which the row can be rebuilt; a head
reads their means and predicts. Encoder, decoder and head are trained together, so the latent features must serve both
(`trainroute.networks.keras_variational`). A missing value is not asked for in the rebuilt row.

References
----------
Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
Kingma et al., "Semi-supervised Learning with Deep Generative Models", NeurIPS 2014 (latent features that predict).
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.keras_family import (
    SCHEDULE,
    KerasFamily,
    KerasModel,
    Question,
    load_keras_model,
    train_network,
)
from trainroute.networks.keras_dense import forward
from trainroute.networks.keras_loss import Block, Kind
from trainroute.networks.keras_variational import VariationalArchitecture


class VAEModel(KerasModel):
    """A fitted autoencoder with its head."""

    def rebuilt(self, rows: Rows) -> NDArray[np.float32]:
        """Return rows as the decoder rebuilds them from their latent means.

        Returns
        -------
        ndarray of shape (n_rows, n_values), float32
            Standardised values of the features that vary, in the order of `Question.values`.
        """
        outputs = forward(self.network.model, self.question.features.inputs(rows.features))
        return outputs[:, self.question.block.size :]


class VAE(KerasFamily):
    """A variational autoencoder; a head on its latent means predicts."""

    name: ClassVar[str] = "VAE"
    fixed_seconds: ClassVar[float] = 0.1
    seconds_per_step: ClassVar[float] = 0.012
    seconds_per_million_rows: ClassVar[float] = 80.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            **SCHEDULE,
            "layers": 1,
            "width": 64,
            "dropout": 0.1,
            "latent": 8,
            "reconstruction_weight": 0.5,
            "divergence_weight": 0.05,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        question = Question.of(train, context)
        values = question.values(train)
        architecture = VariationalArchitecture(
            n_inputs=question.features.n_inputs,
            n_values=values.shape[1],
            layers=context.integer("layers"),
            width=context.integer("width"),
            dropout=context.number("dropout"),
            latent=context.integer("latent"),
            outputs=question.block.size,
            divergence_weight=context.number("divergence_weight"),
        )
        network = architecture.build(context.seed)
        rebuilt = Block(kind=Kind.VALUES, size=values.shape[1], weight=context.number("reconstruction_weight"))
        details = train_network(
            network,
            (question.block, rebuilt),
            question.examples(train, values),
            question.validation(validation, values.shape[1]),
            context,
        )
        return VAEModel(question, architecture, network, details)

    def load(self, folder: Path) -> FittedModel:
        """Read back the description and the weights."""
        found = load_keras_model(folder)
        return VAEModel(found.question, found.architecture, found.network, found.details)
