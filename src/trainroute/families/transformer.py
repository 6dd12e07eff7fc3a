"""Transformer: attention over the last rows of a symbol.

References
----------
Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from trainroute.families.base import FitContext, Hyperparameter
from trainroute.families.shared.torch_networks import SEQUENCE_HYPERPARAMETERS, TRAINING_HYPERPARAMETERS, NetworkFamily

if TYPE_CHECKING:
    from torch import nn

    from trainroute.networks.scaling import FeatureScaling


class Transformer(NetworkFamily):
    """A transformer encoder whose last token speaks."""

    name: ClassVar[str] = "Transformer"
    reads_history: ClassVar[bool] = True
    fixed_seconds: ClassVar[float] = 1.0
    seconds_per_million_rows: ClassVar[float] = 1200.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {**SEQUENCE_HYPERPARAMETERS, "width": 32, "heads": 4, "layers": 2, **TRAINING_HYPERPARAMETERS}
    )

    def _network(self, features: "FeatureScaling", n_outputs: int, context: FitContext) -> "nn.Module":
        from trainroute.networks.attention import SequenceAttention  # noqa: PLC0415 - heavy library

        return SequenceAttention(
            features.n_inputs,
            n_outputs,
            length=context.integer("sequence_length"),
            width=context.integer("width"),
            heads=context.integer("heads"),
            layers=context.integer("layers"),
            dropout=context.number("dropout"),
        )
