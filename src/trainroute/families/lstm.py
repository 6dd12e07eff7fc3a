"""LSTM: long short-term memory over the last rows of a symbol.

References
----------
Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from trainroute.families.base import FitContext, Hyperparameter
from trainroute.families.shared.torch_networks import SEQUENCE_HYPERPARAMETERS, TRAINING_HYPERPARAMETERS, NetworkFamily

if TYPE_CHECKING:
    from torch import nn

    from trainroute.networks.scaling import FeatureScaling


class LSTM(NetworkFamily):
    """A recurrent network with gated memory."""

    name: ClassVar[str] = "LSTM"
    reads_history: ClassVar[bool] = True
    fixed_seconds: ClassVar[float] = 1.0
    seconds_per_million_rows: ClassVar[float] = 700.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**SEQUENCE_HYPERPARAMETERS, "width": 32, "layers": 1, **TRAINING_HYPERPARAMETERS}
    )

    def _network(self, features: "FeatureScaling", n_outputs: int, context: FitContext) -> "nn.Module":
        from trainroute.networks.recurrence import SequenceMemory  # noqa: PLC0415 - heavy library

        return SequenceMemory(
            features.n_inputs,
            n_outputs,
            width=context.integer("width"),
            layers=context.integer("layers"),
            dropout=context.number("dropout"),
        )
