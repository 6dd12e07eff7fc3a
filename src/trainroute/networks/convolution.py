"""Convolutions: over the rows of a sequence, and over features in a learned order.

References
----------
Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
Modeling", 2018 (causal, dilated, residual).
Kiranyaz et al., "1D Convolutional Neural Networks and Applications: A Survey", MSSP 151, 2021.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_KERNEL = 3


class CausalBlock(nn.Module):
    """Two dilated convolutions that look back only, and a way around them."""

    def __init__(self, channels: int, *, dilation: int, dropout: float) -> None:
        super().__init__()
        self.back = (_KERNEL - 1) * dilation
        self.first = nn.Conv1d(channels, channels, _KERNEL, dilation=dilation)
        self.second = nn.Conv1d(channels, channels, _KERNEL, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps: Tensor) -> Tensor:
        """Map (n, channels, length) to the same shape."""
        inner = self.dropout(functional.relu(self.first(functional.pad(steps, (self.back, 0)))))
        inner = self.dropout(functional.relu(self.second(functional.pad(inner, (self.back, 0)))))
        return torch.as_tensor(steps + inner)


class SequenceConvolution(nn.Module):
    """A temporal convolutional network; the last step, which sees the whole sequence, gives the outputs.

    Parameters
    ----------
    n_inputs, n_outputs : int
    length : int
        Rows of a sequence; as many blocks are stacked, with dilations 1, 2, 4, …, as the last step needs to see all.
    channels : int
    dropout : float
    """

    def __init__(self, n_inputs: int, n_outputs: int, *, length: int, channels: int, dropout: float) -> None:
        super().__init__()
        dilations = [1]
        while 1 + 2 * (_KERNEL - 1) * sum(dilations) < length:
            dilations.append(2 * dilations[-1])
        self.embedding = nn.Linear(n_inputs, channels)
        self.blocks = nn.ModuleList(CausalBlock(channels, dilation=step, dropout=dropout) for step in dilations)
        self.output = nn.Linear(channels, n_outputs)

    def forward(self, steps: Tensor, present: Tensor) -> Tensor:
        """Map steps (n, length, n_inputs) and which of them are rows (n, length) to outputs (n, n_outputs)."""
        there = present[:, None, :].to(steps.dtype)
        channels = self.embedding(steps).transpose(1, 2) * there
        for block in self.blocks:
            channels = block(channels) * there
        return torch.as_tensor(self.output(channels[:, :, -1]))


class FeatureConvolution(nn.Module):
    """Features have no order to convolve over, so a linear layer learns one; then convolutions with ways around them.

    Parameters
    ----------
    n_inputs, n_outputs : int
    positions : int
        Places in the learned order.
    channels : int
    dropout : float
    """

    def __init__(self, n_inputs: int, n_outputs: int, *, positions: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.shape = (channels, positions)
        self.order = nn.Linear(n_inputs, channels * positions)
        self.norm = nn.LayerNorm(self.shape)
        self.first = nn.Conv1d(channels, channels, _KERNEL, padding="same")
        self.second = nn.Conv1d(channels, channels, _KERNEL, padding="same")
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels * positions, n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (n, n_inputs) to outputs (n, n_outputs)."""
        ordered = self.dropout(functional.relu(self.norm(self.order(inputs).unflatten(1, self.shape))))
        inner = ordered + self.dropout(functional.relu(self.second(functional.relu(self.first(ordered)))))
        return torch.as_tensor(self.output(inner.flatten(1)))
