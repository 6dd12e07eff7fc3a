"""Attention: over the rows of a sequence, and over features as tokens.

References
----------
Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020 (normalised before, not after).
Gorishniy, Rubachev, Khrulkov and Babenko, "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021
(numbers as tokens, one token that reads the others).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainroute.networks.tokens import FeatureTokens

_WIDENING = 2
_ALL, _FIRST, _LAST = slice(None), slice(0, 1), slice(-1, None)


class AttentionBlock(nn.Module):
    """Self-attention with several heads, then a small network on each token, each with a way around it."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.queries = nn.Linear(width, width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.mixed = nn.Linear(width, width)
        self.before_network = nn.LayerNorm(width)
        self.wide = nn.Linear(width, _WIDENING * width)
        self.narrow = nn.Linear(_WIDENING * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, visible: Tensor | None = None, *, of: slice = _ALL) -> Tensor:
        """Map tokens (n, length, width) to new ones.

        ``visible`` (n, 1, 1, length) says which may be read; only the tokens ``of`` are computed and returned.
        """
        normed = self.before_attention(tokens)
        queries = self.queries(normed[:, of]).unflatten(2, (self.heads, -1)).transpose(1, 2)
        keys, values = self.keys_values(normed).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        read = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=visible)
        tokens = tokens[:, of] + self.dropout(self.mixed(read.transpose(1, 2).flatten(2)))
        inner = self.narrow(self.dropout(functional.gelu(self.wide(self.before_network(tokens)))))
        return torch.as_tensor(tokens + self.dropout(inner))


class SequenceAttention(nn.Module):
    """A transformer over the rows of a sequence; the token of the last row gives the outputs.

    No row after the last one is in a sequence, so nothing needs to be hidden but the padding.

    Parameters
    ----------
    n_inputs, n_outputs : int
    length : int
        Rows of a sequence; each place has a learned embedding.
    width, heads, layers : int
    dropout : float
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, *, length: int, width: int, heads: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Linear(n_inputs, width)
        self.places = nn.Parameter(0.1 * torch.randn(length, width))
        self.blocks = nn.ModuleList(AttentionBlock(width, heads=heads, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, n_outputs)

    def forward(self, steps: Tensor, present: Tensor) -> Tensor:
        """Map steps (n, length, n_inputs) and which of them are rows (n, length) to outputs (n, n_outputs)."""
        tokens = self.embedding(steps) + self.places
        visible = present[:, None, None, :]
        for block in self.blocks[:-1]:
            tokens = block(tokens, visible)
        return torch.as_tensor(self.output(self.norm(self.blocks[-1](tokens, visible, of=_LAST)[:, 0])))


class FeatureAttention(nn.Module):
    """A transformer over features as tokens; a token that stands for none of them gives the outputs.

    Parameters
    ----------
    columns : sequence of (int, int)
        See `FeatureTokens`.
    n_outputs : int
    width, heads, layers : int
    dropout : float
    """

    def __init__(
        self,
        columns: Sequence[tuple[int, int]],
        n_outputs: int,
        *,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.tokens = FeatureTokens(columns, width)
        self.reader = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList(AttentionBlock(width, heads=heads, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (n, n_inputs) to outputs (n, n_outputs)."""
        tokens = torch.cat([self.reader.expand(len(inputs), -1, -1), self.tokens(inputs)], dim=1)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return torch.as_tensor(self.output(self.norm(self.blocks[-1](tokens, of=_FIRST)[:, 0])))
