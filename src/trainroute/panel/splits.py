"""Walk-forward splits over whole timestamps, with purge, embargo and a final holdout.

1. The last ``holdout_fraction`` of the timestamps is the holdout.
2. The timestamps before it are cut into ``n_blocks`` blocks of equally many timestamps (one more or less).
3. Block ``k`` is the half-open interval ``[boundaries[k], boundaries[k + 1])``; the holdout is block ``n_blocks``.
4. A fold tests one block and trains on earlier rows, of all blocks before it, whose label (plus the embargo) ended
   before the test block begins. The same rule stands before the holdout.

A timestamp belongs to one block, whatever the symbol, so no cross-section is ever cut.

References
----------
.. [1] "Advances in Financial Machine Learning", chapter 7, Marcos López de Prado (2018): purging and embargo.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from trainroute.config import Config
from trainroute.errors import DataError
from trainroute.panel.panel import MICROSECONDS_PER_MINUTE, Panel


@dataclass(frozen=True, kw_only=True, eq=False)
class WalkForward:
    """Expanding walk-forward folds of one panel.

    Attributes
    ----------
    boundaries : ndarray of shape (n_blocks + 1,), int64
        Start of each block (µs, UTC), strictly ascending; the last is the start of the holdout.
    first_test : int
        The first test fold; blocks ``first_test`` … ``n_blocks - 1`` are the test folds.
    embargo_us : int
        Further distance between the end of a training label and the test block, in microseconds.
    """

    boundaries: NDArray[np.int64]
    first_test: int
    embargo_us: int

    @classmethod
    def build(
        cls,
        timestamps: NDArray[np.int64],
        *,
        n_blocks: int,
        initial_train_blocks: int,
        holdout_fraction: float,
        embargo_us: int,
    ) -> Self:
        """Cut a timeline.

        Parameters
        ----------
        timestamps : ndarray of shape (n_times,), int64
            All timestamps of the panel (µs, UTC), strictly ascending.
        n_blocks : int
            Blocks before the holdout.
        initial_train_blocks : int
            Blocks that only train, 1 ≤ ``initial_train_blocks`` < ``n_blocks``.
        holdout_fraction : float
            Part of the timestamps at the end that is the holdout, in (0, 1).
        embargo_us : int
            At least 0.

        Raises
        ------
        DataError
            If there are fewer timestamps than blocks.
        ValueError
            If an argument is impossible or ``timestamps`` do not ascend.
        """
        if not 1 <= initial_train_blocks < n_blocks:
            raise ValueError(f"initial_train_blocks must be from 1 to {n_blocks - 1}, got {initial_train_blocks}")
        if not 0.0 < holdout_fraction < 1.0 or embargo_us < 0:
            raise ValueError(f"impossible holdout_fraction {holdout_fraction} or embargo_us {embargo_us}")
        if np.any(np.diff(timestamps) <= 0):
            raise ValueError("timestamps must ascend strictly")
        n_before = len(timestamps) - int(np.ceil(len(timestamps) * holdout_fraction))
        if n_before < n_blocks:
            raise DataError(
                f"the panel has {len(timestamps)} timestamps, {n_before} before the holdout: too few for {n_blocks} "
                "blocks; give more rows or lower validation.n_blocks"
            )
        starts = np.arange(n_blocks + 1) * n_before // n_blocks
        return cls(boundaries=timestamps[starts], first_test=initial_train_blocks, embargo_us=embargo_us)

    @property
    def n_blocks(self) -> int:
        """Blocks before the holdout; also the number that stands for the holdout."""
        return len(self.boundaries) - 1

    @property
    def test_blocks(self) -> range:
        """The test folds, in time order."""
        return range(self.first_test, self.n_blocks)

    def block_of(self, timestamps: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return the block of each timestamp: 0 … ``n_blocks - 1``, or ``n_blocks`` for the holdout."""
        return np.searchsorted(self.boundaries[1:], timestamps, side="right").astype(np.int16)

    def usable_from(self, label_end: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return the first fold that each row may train for.

        Parameters
        ----------
        label_end : ndarray of int64
            Timestamp of the last bar that each label uses (µs, UTC).

        Returns
        -------
        ndarray of int16, of the same shape
            The smallest ``k`` such that ``label_end + embargo < boundaries[k]``: a row trains for fold ``k`` if and
            only if ``usable_from <= k``. ``n_blocks`` means that it trains for the holdout only, ``n_blocks + 1``
            that its label reaches into the holdout.
        """
        return np.searchsorted(self.boundaries, label_end + self.embargo_us, side="right").astype(np.int16)


def walk_forward(panel: Panel, config: Config) -> WalkForward:
    """Cut a panel as the config says: the one cut for measuring, training and scoring.

    Raises
    ------
    DataError
        If there are fewer timestamps than blocks.
    """
    return WalkForward.build(
        panel.timestamps,
        n_blocks=config.validation.n_blocks,
        initial_train_blocks=config.validation.initial_train_blocks,
        holdout_fraction=config.holdout.fraction,
        embargo_us=round(config.validation.embargo_minutes * MICROSECONDS_PER_MINUTE),
    )
