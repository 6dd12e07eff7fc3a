"""TabLSTM: long short-term memory that reads the features of one row one after another, both ways.

References
----------
Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Transactions on Signal Processing 45, 1997.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from trainroute.families.base import FitContext, Hyperparameter
from trainroute.families.shared.torch_networks import TRAINING_HYPERPARAMETERS, NetworkFamily

if TYPE_CHECKING:
    from torch import nn

    from trainroute.networks.scaling import FeatureScaling


class TabLSTM(NetworkFamily):
    """A recurrent network over features as tokens."""

    name: ClassVar[str] = "TabLSTM"
    fixed_seconds: ClassVar[float] = 1.0
    seconds_per_million_rows: ClassVar[float] = 1600.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {"token_width": 8, "width": 16, **TRAINING_HYPERPARAMETERS}
    )

    def _network(self, features: "FeatureScaling", n_outputs: int, context: FitContext) -> "nn.Module":
        from trainroute.networks.recurrence import FeatureMemory  # noqa: PLC0415 - heavy library

        return FeatureMemory(
            features.columns,
            n_outputs,
            token_width=context.integer("token_width"),
            width=context.integer("width"),
            dropout=context.number("dropout"),
        )
