"""CNN1D: causal, dilated convolutions over the last rows of a symbol.

References
----------
Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
Modeling", 2018.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from trainroute.families.base import FitContext, Hyperparameter
from trainroute.families.shared.torch_networks import SEQUENCE_HYPERPARAMETERS, TRAINING_HYPERPARAMETERS, NetworkFamily

if TYPE_CHECKING:
    from torch import nn

    from trainroute.networks.scaling import FeatureScaling


class CNN1D(NetworkFamily):
    """A temporal convolutional network."""

    name: ClassVar[str] = "CNN1D"
    reads_history: ClassVar[bool] = True
    fixed_seconds: ClassVar[float] = 1.0
    seconds_per_million_rows: ClassVar[float] = 1400.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**SEQUENCE_HYPERPARAMETERS, "channels": 32, **TRAINING_HYPERPARAMETERS}
    )

    def _network(self, features: "FeatureScaling", n_outputs: int, context: FitContext) -> "nn.Module":
        from trainroute.networks.convolution import SequenceConvolution  # noqa: PLC0415 - heavy library

        return SequenceConvolution(
            features.n_inputs,
            n_outputs,
            length=context.integer("sequence_length"),
            channels=context.integer("channels"),
            dropout=context.number("dropout"),
        )
