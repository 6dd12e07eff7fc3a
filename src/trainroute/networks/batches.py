"""Batches gathered by row number, so that no sequence is ever stored: memory is that of the inputs."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainroute.networks.device import fits_device


class Batches(Protocol):
    """Rows that a network can ask for by number."""

    device: torch.device

    def __len__(self) -> int:
        """Return the number of rows."""

    def take(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the network's arguments for some rows, on its device."""


class RowBatches:
    """Each row by itself.

    Parameters
    ----------
    inputs : ndarray of shape (n_rows, n_inputs), float32
    device : torch.device
        Where the network computes. Inputs too large for it stay in main memory.
    """

    def __init__(self, inputs: NDArray[np.float32], device: torch.device) -> None:
        self.device = device
        self._inputs = torch.from_numpy(inputs).to(device if fits_device(inputs.nbytes, device) else "cpu")

    def __len__(self) -> int:
        return len(self._inputs)

    def take(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the inputs of some rows, shape (n_taken, n_inputs)."""
        return (self._inputs[rows.to(self._inputs.device)].to(self.device),)


class SequenceBatches:
    """Each row at the end of its sequence.

    Parameters
    ----------
    inputs : ndarray of shape (n_rows, n_inputs), float32
    starts : ndarray of shape (n_rows,), int64
        The first row that the row's sequence may reach; see `trainroute.networks.sequences.run_starts`.
    length : int
        Rows of a sequence. A shorter one is padded on the left.
    device : torch.device
        Where the network computes. Inputs too large for it stay in main memory.
    """

    def __init__(
        self, inputs: NDArray[np.float32], starts: NDArray[np.int64], *, length: int, device: torch.device
    ) -> None:
        self.device = device
        home = device if fits_device(inputs.nbytes, device) else torch.device("cpu")
        self._inputs = torch.from_numpy(inputs).to(home)
        self._starts = torch.from_numpy(starts).to(home)
        self._back = torch.arange(1 - length, 1, device=home)

    def __len__(self) -> int:
        return len(self._inputs)

    def take(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return steps of shape (n_taken, length, n_inputs), 0 where padded, and which of them are rows."""
        rows = rows.to(self._inputs.device)
        places = rows[:, None] + self._back
        present = places >= self._starts[rows][:, None]
        steps = self._inputs[torch.where(present, places, rows[:, None])] * present[:, :, None]
        return steps.to(self.device), present.to(self.device)
