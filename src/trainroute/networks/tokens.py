"""Features as tokens: each feature becomes a vector, be it there or missing.

References
----------
Gorishniy, Rubachev, Khrulkov and Babenko, "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class FeatureTokens(nn.Module):
    """A vector for each feature: token = value × direction + missing × absence + offset.

    A missing value is an input of 0, so that it leaves absence + offset.

    Parameters
    ----------
    columns : sequence of (int, int)
        For each token the input columns of its value and of its indicator, -1 where it has none; see
        `trainroute.networks.scaling.FeatureScaling.columns`.
    width : int
    """

    columns: Tensor

    def __init__(self, columns: Sequence[tuple[int, int]], width: int) -> None:
        super().__init__()
        self.register_buffer("columns", torch.tensor(columns).T, persistent=False)
        bound = width**-0.5
        self.direction = nn.Parameter(torch.empty(len(columns), width).uniform_(-bound, bound))
        self.absence = nn.Parameter(torch.empty(len(columns), width).uniform_(-bound, bound))
        self.offset = nn.Parameter(torch.empty(len(columns), width).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (n, n_inputs) to tokens (n, n_tokens, width)."""
        # A column of zeros at the end is what -1 stands for.
        value, missing = functional.pad(inputs, (0, 1))[:, self.columns, None].unbind(dim=1)
        return torch.addcmul(torch.addcmul(self.offset, value, self.direction), missing, self.absence)
