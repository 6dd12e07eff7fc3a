"""Dense networks in Keras: a shared trunk, and a head for each block of outputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.networks.keras_backend import as_numpy, keras_threads, load_keras

if TYPE_CHECKING:
    from keras import KerasTensor, Model

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Network:
    """A Keras network.

    Attributes
    ----------
    model : Model
        What is trained: all outputs side by side, in the order of the heads.
    predictor : Model
        The part of it that gives the first head's outputs alone.
    """

    model: "Model"
    predictor: "Model"


class DenseArchitecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="dense"):
    """What a dense network looks like.

    Attributes
    ----------
    n_inputs : int
    layers, width : int
        Hidden layers of the trunk, and units in each.
    dropout : float
        Share of a hidden layer's units that are left out in each training step.
    heads : tuple of int
        Number of outputs of each head; the first one's are the predictions.
    head_width : int
        Units of a hidden layer in each head; 0 for none.
    """

    n_inputs: int
    layers: int
    width: int
    dropout: float
    heads: tuple[int, ...]
    head_width: int = 0

    def build(self, seed: int = 0) -> Network:
        """Build the network; ``seed`` decides on its first weights and on what dropout leaves out."""
        keras, seeds = load_keras(), draw_seeds(seed)
        inputs = keras.Input((self.n_inputs,))
        trunk = hidden(inputs, [self.width] * self.layers, self.dropout, seeds)
        outputs = [
            dense(hidden(trunk, [self.head_width] * (self.head_width > 0), 0.0, seeds), size, seeds)
            for size in self.heads
        ]
        together = keras.layers.Concatenate()(outputs) if len(outputs) > 1 else outputs[0]
        return Network(keras.Model(inputs, together), keras.Model(inputs, outputs[0]))


def hidden(inputs: "KerasTensor", widths: Sequence[int], dropout: float, seeds: Iterator[int]) -> "KerasTensor":
    """Stack hidden layers: dense, normalised over the units (Ba et al. 2016), SiLU, dropout."""
    layers = load_keras().layers
    for width in widths:
        inputs = layers.Activation("silu")(layers.LayerNormalization()(dense(inputs, width, seeds)))
        if dropout > 0.0:
            inputs = layers.Dropout(dropout, seed=next(seeds))(inputs)
    return inputs


def dense(inputs: "KerasTensor", size: int, seeds: Iterator[int]) -> "KerasTensor":
    """Add a dense layer without activation, with Glorot's first weights."""
    keras = load_keras()
    return keras.layers.Dense(size, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)))(inputs)


def draw_seeds(seed: int) -> Iterator[int]:
    """Yield seeds for the layers, so that no global random state is read or set."""
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(1 << 31))


def forward(model: "Model", *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a model's outputs, shape (n_rows, n_outputs), without dropout or sampling.

    Rows go through in batches of one size, the last one filled up, and on one thread: so every row meets the same
    arithmetic, and its outputs do not depend, not even in the last bit, on the rows beside it or on the threads.
    """
    n_rows = len(inputs[0])
    outputs = np.empty((n_rows, model.output_shape[-1]), dtype=np.float32)
    batches = [np.zeros((_ROWS_AT_ONCE, array.shape[1]), dtype=np.float32) for array in inputs]
    with keras_threads(1):
        for start in range(0, n_rows, _ROWS_AT_ONCE):
            n_here = min(_ROWS_AT_ONCE, n_rows - start)
            for batch, array in zip(batches, inputs, strict=True):
                batch[:n_here] = array[start : start + n_here]
            given = batches if len(batches) > 1 else batches[0]
            outputs[start : start + n_here] = as_numpy(model(given, training=False))[:n_here]
    return outputs


def weights_of(model: "Model") -> list[NDArray[np.float32]]:
    """Return a copy of a model's weights, in the order in which its layers were made."""
    return [as_numpy(variable.value).copy() for variable in model.weights]


def set_weights(model: "Model", weights: Sequence[NDArray[np.float32]]) -> None:
    """Give a model the weights of another one of its architecture."""
    for variable, values in zip(model.weights, weights, strict=True):
        variable.assign(values)


def write_weights(model: "Model", path: Path) -> None:
    """Write a model's weights as NumPy's npz."""
    np.savez(path, *weights_of(model), allow_pickle=False)


def read_weights(model: "Model", path: Path) -> None:
    """Read back the weights of a model of the same architecture."""
    with np.load(path, allow_pickle=False) as arrays:
        set_weights(model, [arrays[f"arr_{number}"] for number in range(len(arrays.files))])
