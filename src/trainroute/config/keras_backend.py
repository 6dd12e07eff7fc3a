"""Which library Keras computes with: the one place that reads and sets ``KERAS_BACKEND``.

What the user has set wins, as does a Keras that is already imported; otherwise TensorFlow where it is installed, else
Torch. Keras' own ``~/.keras/keras.json`` is not asked: Keras writes TensorFlow there by itself.
"""

import os
import sys
from importlib.util import find_spec

_VARIABLE = "KERAS_BACKEND"


def keras_backend() -> str:
    """Return the module that Keras computes with, or would if it were imported now; nothing is imported."""
    keras = sys.modules.get("keras")
    if keras is not None:
        return str(keras.config.backend())
    return os.environ.get(_VARIABLE) or ("tensorflow" if find_spec("tensorflow") else "torch")


def set_keras_backend() -> None:
    """Tell Keras what to compute with; to be called before Keras is imported."""
    os.environ[_VARIABLE] = keras_backend()
