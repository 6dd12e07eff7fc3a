"""A conditional generative adversarial network for rows of a table, in Keras.

1. The generator turns noise and a condition (the label, and which values are missing) into values.
2. The discriminator tells generated rows from real ones of the same condition (`_adversary`).
3. Each step trains both at once: the discriminator on real and generated rows, the generator through a discriminator
   whose weights stand still. The generator must also match the first and second moments of the real rows.
4. The weights kept are the generator's, averaged over the second half of the steps (`train_generator`).

References
----------
Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014 (the game, and the generator's non-saturating loss).
Mirza & Osindero, "Conditional Generative Adversarial Nets", 2014.
Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016 (matched features, one-sided label smoothing).
Li, Swersky & Zemel, "Generative Moment Matching Networks", ICML 2015 (moments as the features to match).
Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.errors import ModelError
from trainroute.networks.keras_backend import keras_threads, load_keras
from trainroute.networks.keras_dense import dense, draw_seeds, forward, set_weights, weights_of
from trainroute.networks.keras_loss import Block, Kind, masked_loss
from trainroute.networks.scaling import LARGEST

if TYPE_CHECKING:
    from keras import KerasTensor, Model

_VERDICTS = (Block(kind=Kind.BINARY, size=1),) * 3
_TRUTHS = np.array([[0.9, 0.0, 1.0]], dtype=np.float32)
"""What the discriminator is told of a real and of a generated row; what the generator wants to hear of its own."""
_MOMENTUM = 0.5


class GeneratorArchitecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a generator, and the discriminator that it is trained against, look like.

    Attributes
    ----------
    n_values : int
        The number of values that it generates.
    n_conditions : int
        The number of columns that it is told.
    noise : int
        The number of random inputs.
    width : int
        Units of each of the two hidden layers.
    """

    n_values: int
    n_conditions: int
    noise: int
    width: int

    def build(self, seed: int = 0) -> "Model":
        """Build the generator: noise, conditions → values; a linear path beside the hidden layers."""
        keras, seeds = load_keras(), draw_seeds(seed)
        inputs = [keras.Input((self.noise,)), keras.Input((self.n_conditions,))]
        told = keras.layers.Concatenate()(inputs)
        found = told
        for _ in range(2):
            found = keras.layers.Activation("silu")(dense(found, self.width, seeds))
        values = keras.layers.Add()([dense(found, self.n_values, seeds), dense(told, self.n_values, seeds)])
        return keras.Model(inputs, values)


@dataclass(frozen=True)
class Table:
    """Real rows.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_values), float32
        Standardised; 0 where missing.
    present : ndarray of shape (n_rows, n_values), float32
        0 where a value is missing, else 1.
    conditions : ndarray of shape (n_rows, n_conditions), float32
    """

    values: NDArray[np.float32]
    present: NDArray[np.float32]
    conditions: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, kw_only=True)
class Game:
    """How generator and discriminator are trained: so many steps with Adam, on so many rows drawn at random.

    ``moment_weight`` is the weight of the mean squared difference of moments beside the generator's own loss.
    """

    steps: int
    batch_rows: int
    learning_rate: float
    moment_weight: float
    seed: int
    threads: int


def train_generator(architecture: GeneratorArchitecture, table: Table, game: Game) -> "Model":
    """Train a generator against a discriminator.

    Returns
    -------
    Model
        The generator.

    Raises
    ------
    ModelError
        If the loss is not a number.
    """
    rng = np.random.default_rng(game.seed)
    generator = architecture.build(game.seed)
    both = _against_adversary(architecture, generator, game)
    n_rows = min(game.batch_rows, len(table))
    truths = np.repeat(_TRUTHS, n_rows, axis=0)
    mean = weights_of(generator)
    first_kept = game.steps // 2
    with keras_threads(game.threads):
        for step in range(game.steps):
            drawn = rng.integers(len(table), size=n_rows)
            noise = rng.standard_normal((n_rows, architecture.noise), dtype=np.float32)
            given = [noise, table.conditions[drawn], table.present[drawn], table.values[drawn]]
            loss = float(both.train_on_batch(given, truths))
            if not np.isfinite(loss):
                raise ModelError(f"the loss is {loss} in step {step}; expected a number: lower gan_learning_rate")
            if step >= first_kept:
                share = 1.0 / (step - first_kept + 1)
                now = weights_of(generator)
                mean = [(1.0 - share) * past + share * weights for past, weights in zip(mean, now, strict=True)]
    set_weights(generator, mean)
    return generator


def generate(
    generator: "Model", conditions: NDArray[np.float32], present: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw one row of values for each row of conditions; 0 where ``present`` is 0, and clipped to ± `LARGEST`."""
    noise = rng.standard_normal((len(conditions), generator.input_shape[0][-1]), dtype=np.float32)
    return np.clip(forward(generator, noise, conditions), -LARGEST, LARGEST) * present


def _against_adversary(architecture: GeneratorArchitecture, generator: "Model", game: Game) -> "Model":
    """Return what is trained: noise, conditions, presence, real values → the three verdicts."""
    keras = load_keras()
    noise, conditions = generator.inputs
    present, real = keras.Input((architecture.n_values,)), keras.Input((architecture.n_values,))
    false = keras.layers.Multiply()([generator.output, present])
    adversary = _adversary()(architecture.width, game.moment_weight, game.seed + 1)
    both = keras.Model([noise, conditions, present, real], adversary([real, false, conditions]))
    optimizer = keras.optimizers.Adam(game.learning_rate, beta_1=_MOMENTUM)
    both.compile(optimizer=optimizer, loss=masked_loss(_VERDICTS), jit_compile=False)
    return both


@cache
def _adversary() -> type:
    """Return the discriminator as a layer; a class of Keras, so made when Keras is there."""
    keras = load_keras()
    ops = keras.ops

    class Adversary(keras.layers.Layer):  # type: ignore[misc, name-defined]  # Keras tells mypy nothing
        """Gives the discriminator's logits of real and of generated rows, and adds the difference of their moments.

        The third logit is that of the generated rows once more: through it gradients reach the rows, but not the
        discriminator; through the second they reach the discriminator, but not the rows.
        """

        def __init__(self, width: int, moment_weight: float, seed: int) -> None:
            super().__init__()
            self.width = width
            self.moment_weight = moment_weight
            self.seeds = draw_seeds(seed)

        def build(self, shapes: list[tuple[int | None, int]]) -> None:
            sizes = [shapes[0][1] + shapes[2][1], self.width, self.width, 1]
            self.kernels = [
                self.add_weight(shape=shape, initializer=keras.initializers.GlorotUniform(seed=next(self.seeds)))
                for shape in pairwise(sizes)
            ]
            self.biases = [self.add_weight(shape=(size,), initializer="zeros") for size in sizes[1:]]

        def call(self, given: "list[KerasTensor]") -> "KerasTensor":
            real, false, conditions = given
            real, false = (ops.concatenate([values, conditions], axis=-1) for values in (real, false))
            self.add_loss(self.moment_weight * _moment_difference(real, false))
            kernels, biases = list(self.kernels), list(self.biases)
            still = [[ops.stop_gradient(weight) for weight in weights] for weights in (kernels, biases)]
            verdicts = [
                _logit(real, kernels, biases),
                _logit(ops.stop_gradient(false), kernels, biases),
                _logit(false, *still),
            ]
            return ops.concatenate(verdicts, axis=-1)

    def _logit(rows: "KerasTensor", kernels: "list[KerasTensor]", biases: "list[KerasTensor]") -> "KerasTensor":
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            rows = ops.leaky_relu(ops.matmul(rows, kernel) + bias)
        return ops.matmul(rows, kernels[-1]) + biases[-1]

    def _moment_difference(real: "KerasTensor", false: "KerasTensor") -> "KerasTensor":
        n_rows = ops.cast(ops.shape(real)[0], real.dtype)
        first = ops.mean(real, axis=0) - ops.mean(false, axis=0)
        second = (ops.matmul(ops.transpose(real), real) - ops.matmul(ops.transpose(false), false)) / n_rows
        return ops.sum(ops.square(first)) + ops.sum(ops.square(second))

    return Adversary
