"""A variational autoencoder whose latent means also answer the question asked: one network, trained jointly.

1. The encoder turns a row into the mean and the log-variance of a normal distribution over latent features.
2. In training, a latent row is drawn from it (`_sampling`) and the decoder rebuilds the inputs from the draw.
3. The head reads the latent means alone; prediction draws nothing.

References
----------
Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014 (the bound, and the draw by reparametrisation).
Higgins et al., "beta-VAE", ICLR 2017 (the weight of the divergence).
"""

from functools import cache
from typing import TYPE_CHECKING

import msgspec

from trainroute.networks.keras_backend import load_keras
from trainroute.networks.keras_dense import Network, dense, draw_seeds, hidden

if TYPE_CHECKING:
    from keras import KerasTensor

_WIDEST_LOG_VARIANCE = 8.0


class VariationalArchitecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="variational"):
    """What the autoencoder looks like.

    Attributes
    ----------
    n_inputs : int
    n_values : int
        How many of the inputs, the first ones, are rebuilt.
    layers, width : int
        Hidden layers of the encoder, and of the decoder, and units in each.
    dropout : float
        Share of the encoder's hidden units that are left out in each training step.
    latent : int
        The number of latent features.
    outputs : int
        The number of the head's outputs.
    divergence_weight : float
        Weight of the Kullback-Leibler divergence, per rebuilt value.
    """

    n_inputs: int
    n_values: int
    layers: int
    width: int
    dropout: float
    latent: int
    outputs: int
    divergence_weight: float

    def build(self, seed: int = 0) -> Network:
        """Build the network; its outputs are the head's, then the rebuilt values."""
        keras, seeds = load_keras(), draw_seeds(seed)
        widths = [self.width] * self.layers
        inputs = keras.Input((self.n_inputs,))
        encoded = hidden(inputs, widths, self.dropout, seeds)
        mean, log_variance = dense(encoded, self.latent, seeds), dense(encoded, self.latent, seeds)
        drawn = _sampling()(self.divergence_weight / max(self.n_values, 1), next(seeds))([mean, log_variance])
        rebuilt = dense(hidden(drawn, widths, 0.0, seeds), self.n_values, seeds)
        answer = dense(hidden(mean, [self.width], 0.0, seeds), self.outputs, seeds)
        together = keras.layers.Concatenate()([answer, rebuilt])
        return Network(keras.Model(inputs, together), keras.Model(inputs, answer))


@cache
def _sampling() -> type:
    """Return the layer that draws latent rows; a class of Keras, so made when Keras is there."""
    keras = load_keras()
    ops = keras.ops

    class Sampling(keras.layers.Layer):  # type: ignore[misc, name-defined]  # Keras tells mypy nothing
        """Draws from a normal distribution in training, and adds its divergence from the standard one to the loss."""

        def __init__(self, weight: float, seed: int) -> None:
            super().__init__()
            self.weight = weight
            self.seed = keras.random.SeedGenerator(seed)

        def call(self, moments: "list[KerasTensor]", *, training: bool = False) -> "KerasTensor":
            mean, log_variance = moments
            if not training:
                return mean
            log_variance = ops.clip(log_variance, -_WIDEST_LOG_VARIANCE, _WIDEST_LOG_VARIANCE)
            # Kingma & Welling 2014, appendix B.
            divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=-1)
            self.add_loss(self.weight * ops.mean(divergence))
            noise = keras.random.normal(ops.shape(mean), seed=self.seed)
            return mean + ops.exp(0.5 * log_variance) * noise

    return Sampling
