"""Long short-term memory: over the rows of a sequence, and over features as tokens.

References
----------
Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997.
Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Transactions on Signal Processing 45, 1997.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainroute.networks.tokens import FeatureTokens


class SequenceMemory(nn.Module):
    """An LSTM that reads a sequence from its oldest row; its state at the last row gives the outputs.

    Whether a step is a row or padding is an input too.

    Parameters
    ----------
    n_inputs, n_outputs : int
    width, layers : int
    dropout : float
    """

    def __init__(self, n_inputs: int, n_outputs: int, *, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.memory = nn.LSTM(n_inputs + 1, width, num_layers=layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, n_outputs)

    def forward(self, steps: Tensor, present: Tensor) -> Tensor:
        """Map steps (n, length, n_inputs) and which of them are rows (n, length) to outputs (n, n_outputs)."""
        states, _ = self.memory(torch.cat([steps, present[:, :, None].to(steps.dtype)], dim=2))
        return torch.as_tensor(self.output(self.dropout(states[:, -1])))


class FeatureMemory(nn.Module):
    """An LSTM that reads features as tokens, once forwards and once backwards: their order is no time.

    Parameters
    ----------
    columns : sequence of (int, int)
        See `FeatureTokens`.
    n_outputs : int
    token_width, width : int
    dropout : float
    """

    def __init__(
        self, columns: Sequence[tuple[int, int]], n_outputs: int, *, token_width: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.tokens = FeatureTokens(columns, token_width)
        self.memory = nn.LSTM(token_width, width, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * width, n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (n, n_inputs) to outputs (n, n_outputs)."""
        _, (last, _) = self.memory(self.tokens(inputs))
        return torch.as_tensor(self.output(self.dropout(last.transpose(0, 1).flatten(1))))
