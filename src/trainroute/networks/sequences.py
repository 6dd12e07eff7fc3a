"""Which rows belong to the sequence that ends with a row."""

import numpy as np
from numpy.typing import NDArray


def run_starts(symbol: NDArray[np.int32], time: NDArray[np.int32], *, max_gap: int) -> NDArray[np.int64]:
    """Return for each row the number of the first row that a sequence ending with it may reach.

    A run goes on while the symbol is the same and time advances by at most ``max_gap``. A sequence is the last rows
    of a run up to and including its own row, never later ones.

    Parameters
    ----------
    symbol : ndarray of shape (n_rows,)
        Sorted.
    time : ndarray of shape (n_rows,)
        Position of each row's timestamp; ascending within a symbol.
    max_gap : int
        The longest step in ``time`` that is no gap; 1 where the very next timestamp must follow.

    Returns
    -------
    ndarray of shape (n_rows,), int64
    """
    number = np.arange(len(symbol), dtype=np.int64)
    begins = np.ones(len(symbol), dtype=bool)
    begins[1:] = (symbol[1:] != symbol[:-1]) | (time[1:].astype(np.int64) - time[:-1] > max_gap)
    return np.maximum.accumulate(np.where(begins, number, 0))
