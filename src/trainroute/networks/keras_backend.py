"""Keras, and the few things that it leaves to the library it computes with: device, threads, the way to NumPy."""

import contextlib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainroute.config.keras_backend import set_keras_backend
from trainroute.networks.device import say_cpu_fallback, torch_threads

if TYPE_CHECKING:
    from keras import KerasTensor


@cache
def load_keras() -> ModuleType:
    """Import Keras on the backend that `trainroute.config.keras_backend` names; it finds a visible GPU by itself."""
    set_keras_backend()
    keras = import_module("keras")
    backend = keras.config.backend()
    if backend == "torch":
        has_gpu = bool(import_module("torch").cuda.is_available())
    else:
        has_gpu = backend != "tensorflow" or bool(import_module("tensorflow").config.list_physical_devices("GPU"))
    if not has_gpu:
        say_cpu_fallback(f"keras on {backend}")
    return keras


@contextlib.contextmanager
def keras_threads(threads: int) -> Iterator[None]:
    """Compute with at most so many threads of the CPU; Torch gets back what it had.

    TensorFlow takes a number only before its first computation in a process; afterwards that number stays.
    """
    backend = load_keras().config.backend()
    if backend == "torch":
        with torch_threads(threads):
            yield
        return
    if backend == "tensorflow":
        threading = import_module("tensorflow").config.threading
        with contextlib.suppress(RuntimeError):  # TensorFlow has computed before
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(1)
    yield


def as_numpy(tensor: "KerasTensor") -> NDArray[np.float32]:
    """Return a tensor's values; Keras' own way draws a deprecation warning from Torch's tensors."""
    keras = load_keras()
    if keras.config.backend() == "torch":
        return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float32)
    return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=np.float32)
