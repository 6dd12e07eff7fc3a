"""TabTransformer: attention over the features of one row as tokens.

The features of a panel are numbers, so each becomes a token by a learned direction and offset, not by a category.

References
----------
Huang, Khetan, Cvitkovic and Karnin, "TabTransformer: Tabular Data Modeling Using Contextual Embeddings", 2020.
Gorishniy, Rubachev, Khrulkov and Babenko, "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from trainroute.families.base import FitContext, Hyperparameter
from trainroute.families.shared.torch_networks import TRAINING_HYPERPARAMETERS, NetworkFamily

if TYPE_CHECKING:
    from torch import nn

    from trainroute.networks.scaling import FeatureScaling


class TabTransformer(NetworkFamily):
    """A transformer over features as tokens."""

    name: ClassVar[str] = "TabTransformer"
    fixed_seconds: ClassVar[float] = 1.0
    seconds_per_million_rows: ClassVar[float] = 4100.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {"width": 16, "heads": 2, "layers": 2, **TRAINING_HYPERPARAMETERS}
    )

    def _network(self, features: "FeatureScaling", n_outputs: int, context: FitContext) -> "nn.Module":
        from trainroute.networks.attention import FeatureAttention  # noqa: PLC0415 - heavy library

        return FeatureAttention(
            features.columns,
            n_outputs,
            width=context.integer("width"),
            heads=context.integer("heads"),
            layers=context.integer("layers"),
            dropout=context.number("dropout"),
        )
