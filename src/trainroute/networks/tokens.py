"""Features as tokens: each number becomes a vector.

References
----------
Gorishniy, Rubachev, Khrulkov and Babenko, "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021.
"""

import torch
from torch import Tensor, nn


class FeatureTokens(nn.Module):
    """A direction and an offset for each input, scaled by its value: token = value × direction + offset."""

    def __init__(self, n_inputs: int, width: int) -> None:
        super().__init__()
        bound = width**-0.5
        self.direction = nn.Parameter(torch.empty(n_inputs, width).uniform_(-bound, bound))
        self.offset = nn.Parameter(torch.empty(n_inputs, width).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (n, n_inputs) to tokens (n, n_inputs, width)."""
        return inputs[:, :, None] * self.direction + self.offset
