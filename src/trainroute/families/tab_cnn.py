"""TabCNN: convolutions over the features of one row, in an order that a linear layer learns.

References
----------
Kiranyaz et al., "1D Convolutional Neural Networks and Applications: A Survey", MSSP 151, 2021.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from trainroute.families.base import FitContext, Hyperparameter
from trainroute.families.shared.torch_networks import TRAINING_HYPERPARAMETERS, NetworkFamily

if TYPE_CHECKING:
    from torch import nn

    from trainroute.networks.scaling import FeatureScaling


class TabCNN(NetworkFamily):
    """A convolutional network on a table."""

    name: ClassVar[str] = "TabCNN"
    fixed_seconds: ClassVar[float] = 1.0
    seconds_per_million_rows: ClassVar[float] = 250.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {"positions": 16, "channels": 16, **TRAINING_HYPERPARAMETERS}
    )

    def _network(self, features: "FeatureScaling", n_outputs: int, context: FitContext) -> "nn.Module":
        from trainroute.networks.convolution import FeatureConvolution  # noqa: PLC0415 - heavy library

        return FeatureConvolution(
            features.n_inputs,
            n_outputs,
            positions=context.integer("positions"),
            channels=context.integer("channels"),
            dropout=context.number("dropout"),
        )
