"""The panel on disk while a run lasts: written once, memory-mapped by every worker, removed at the end.

Workers of one machine share its pages; a job copies only the rows and columns that it trains on.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.panel import Panel, Target, WalkForward

_INDEX = "store.json"
_PREFIX = ".training_store."


class StoreIndex(msgspec.Struct, frozen=True, kw_only=True):
    """What the arrays hold. Rows of symbol ``i`` are ``offsets[i]`` … ``offsets[i + 1] - 1``."""

    symbols: tuple[str, ...]
    offsets: tuple[int, ...]
    features: tuple[str, ...]
    targets: tuple[Target, ...]
    boundaries: tuple[int, ...]
    first_test: int
    embargo_us: int
    fingerprint: str


@dataclass(frozen=True)
class PanelStore:
    """A folder with the panel's arrays, opened for reading."""

    folder: Path

    @cached_property
    def index(self) -> StoreIndex:
        """Names, offsets and the split."""
        return msgspec.json.decode((self.folder / _INDEX).read_bytes(), type=StoreIndex)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """Shape (n_rows, n_features), NaN = missing."""
        return _mapped(self.folder, "features")

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Shape (n_rows, n_targets), raw labels, NaN = none."""
        return _mapped(self.folder, "targets")

    @cached_property
    def label_end(self) -> NDArray[np.int64]:
        """Shape (n_rows, n_horizons), µs UTC."""
        return _mapped(self.folder, "label_end")

    @cached_property
    def time_index(self) -> NDArray[np.int32]:
        """Shape (n_rows,): position of each row in ``timestamps``."""
        return _mapped(self.folder, "time_index")

    @cached_property
    def timestamps(self) -> NDArray[np.int64]:
        """Shape (n_times,), µs UTC."""
        return _mapped(self.folder, "timestamps")

    @cached_property
    def split(self) -> WalkForward:
        """The walk-forward split of the run."""
        return WalkForward(
            boundaries=np.array(self.index.boundaries, dtype=np.int64),
            first_test=self.index.first_test,
            embargo_us=self.index.embargo_us,
        )

    @cached_property
    def symbol_number(self) -> dict[str, int]:
        """Position of each symbol."""
        return {symbol: number for number, symbol in enumerate(self.index.symbols)}

    @cached_property
    def feature_number(self) -> dict[str, int]:
        """Column of each feature."""
        return {feature: number for number, feature in enumerate(self.index.features)}

    @cached_property
    def target_number(self) -> dict[str, int]:
        """Column of each target."""
        return {target.name: number for number, target in enumerate(self.index.targets)}

    def rows_of(self, symbol: str) -> slice:
        """Return the rows of one symbol."""
        number = self.symbol_number[symbol]
        return slice(self.index.offsets[number], self.index.offsets[number + 1])


def _mapped(folder: Path, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return array


def write_store(panel: Panel, split: WalkForward, folder: Path) -> PanelStore:
    """Write the panel's arrays into an existing folder, symbol by symbol."""
    sizes = [len(rows) for rows in panel.rows]
    n_horizons = panel.rows[0].label_end.shape[1] if panel.rows else 0
    shapes = {
        "features": (np.float32, (sum(sizes), len(panel.features))),
        "targets": (np.float32, (sum(sizes), len(panel.targets))),
        "label_end": (np.int64, (sum(sizes), n_horizons)),
        "time_index": (np.int32, (sum(sizes),)),
    }
    for name, (dtype, shape) in shapes.items():
        _write_array(folder / f"{name}.npy", [getattr(rows, name) for rows in panel.rows], np.dtype(dtype), shape)
    _write_array(folder / "timestamps.npy", [panel.timestamps], np.dtype(np.int64), panel.timestamps.shape)
    index = StoreIndex(
        symbols=panel.symbols,
        offsets=(0, *np.cumsum(sizes).tolist()),
        features=panel.features,
        targets=panel.targets,
        boundaries=tuple(split.boundaries.tolist()),
        first_test=split.first_test,
        embargo_us=split.embargo_us,
        fingerprint=panel.fingerprint,
    )
    (folder / _INDEX).write_bytes(msgspec.json.encode(index))
    return PanelStore(folder)


def _write_array(path: Path, parts: list[NDArray[Any]], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype=dtype).data)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a folder in ``parent`` for one run; remove it at the end, and those that killed runs left behind."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in sorted(parent.glob(f"{_PREFIX}*")):
        process = left.name.removeprefix(_PREFIX).split(".")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=f"{_PREFIX}{os.getpid()}."))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
