"""Snapshots of feature importances: the disjoint spans of this run, and the last span of earlier runs on disk.

``METRICS/snapshots/<data>.parquet`` holds the latest span of one run, one row per (target, symbol, feature). An earlier
run counts for a target only if its data end at least the target's horizon before this run's, so the same data never
count twice; spans that share time are never compared (`stability.classify`).
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from trainroute.errors import DataError, one_line
from trainroute.evaluate.evidence import SnapshotBasis
from trainroute.evaluate.stability import Snapshot
from trainroute.panel import Panel
from trainroute.records.artifacts import write_atomically

MAX_EARLIER_RUNS = 5
_FILE_VERSION = 1
_SCHEMA = {
    "version": pl.Int64(),
    "target": pl.String(),
    "symbol": pl.String(),
    "feature": pl.String(),
    "importance": pl.Float64(),
    "windows": pl.Float64(),
    "start": pl.Int64(),
    "end": pl.Int64(),
    "data_end": pl.Int64(),
}

Key = tuple[str, str | None]


@dataclass(frozen=True, kw_only=True)
class EarlierSnapshots:
    """Snapshots of earlier runs, by (target, symbol or None), the files that they came from, and those that could."""

    by_key: dict[Key, list[Snapshot]]
    sources: tuple[str, ...]
    basis: SnapshotBasis


def snapshot_directory(output_dir: Path) -> Path:
    """Return where snapshots are kept."""
    return output_dir / "METRICS" / "snapshots"


def eligible_files(output_dir: Path, fingerprint: str, data_end: int, shortest_horizon: int) -> dict[str, str]:
    """Return the snapshot files that may count for data that end at ``data_end`` (µs), with hashes of their content.

    Parameters
    ----------
    fingerprint : str
        Of this run's own data, whose file never counts.
    shortest_horizon : int
        The shortest horizon of this run's targets (µs).
    """
    files = sorted(p for p in snapshot_directory(output_dir).glob("*.parquet") if p.name != _file_name(fingerprint))
    ends = {path: _read(path)["data_end"].max() for path in files}
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path, end in ends.items()
        if isinstance(end, int) and end + shortest_horizon <= data_end
    }


def read_earlier(output_dir: Path, panel: Panel) -> EarlierSnapshots:
    """Read the snapshots that may stand beside this run's: at most the ``MAX_EARLIER_RUNS`` latest.

    Raises
    ------
    DataError
        If a snapshot file cannot be read or has another layout.
    """
    data_end = int(panel.timestamps[-1])
    horizons = {t.name: t.horizon_us for t in panel.targets}
    shortest = min(horizons.values())
    basis = SnapshotBasis(
        fingerprint=panel.fingerprint,
        data_end=data_end,
        shortest_horizon=shortest,
        eligible=eligible_files(output_dir, panel.fingerprint, data_end, shortest),
    )
    frames = [(name, _read(snapshot_directory(output_dir) / name)) for name in basis.eligible]
    eligible = sorted(((int(f["data_end"][0]), name, f) for name, f in frames), key=lambda item: item[:2])
    by_key: dict[Key, list[Snapshot]] = {}
    used = []
    for end, name, frame in eligible[-MAX_EARLIER_RUNS:]:
        fitting = [target for target, horizon in horizons.items() if end + horizon <= data_end]
        kept = frame.filter(pl.col("target").is_in(fitting) & pl.col("feature").is_in(panel.features))
        if len(kept):
            used.append(name)
        for key, snapshot in _snapshots(kept, panel.features):
            by_key.setdefault(key, []).append(snapshot)
    return EarlierSnapshots(by_key=by_key, sources=tuple(used), basis=basis)


def latest_frame(latest: Mapping[Key, Snapshot], features: Sequence[str], data_end: int) -> pl.DataFrame:
    """Lay out the latest snapshot of each (target, symbol) as rows."""
    n = len(features)
    snapshots = list(latest.values())

    def repeated(values: Sequence[object]) -> pl.Expr:
        return pl.lit(pl.Series(values)).repeat_by(n).explode()

    return pl.select(
        version=pl.repeat(_FILE_VERSION, n * len(latest), dtype=pl.Int64()),
        target=repeated([target for target, _ in latest]),
        symbol=repeated([symbol for _, symbol in latest]),
        feature=pl.Series(list(features) * len(latest), dtype=pl.String()),
        importance=np.concatenate([s.importance for s in snapshots]).round(6),
        windows=repeated([s.windows for s in snapshots]),
        start=repeated([s.start for s in snapshots]),
        end=repeated([s.end for s in snapshots]),
        data_end=pl.repeat(data_end, n * len(latest), dtype=pl.Int64()),
    ).cast(_SCHEMA)  # type: ignore[arg-type]


def write_latest(frame: pl.DataFrame, output_dir: Path, fingerprint: str) -> None:
    """Write this run's latest snapshots for runs to come; those of other targets of the same data stay."""
    path = snapshot_directory(output_dir) / _file_name(fingerprint)
    if path.is_file():
        others = _read(path).filter(~pl.col("target").is_in(frame["target"].unique().to_list()))
        frame = pl.concat([others, frame]).sort("target", maintain_order=True)
    content = io.BytesIO()
    frame.write_parquet(content)
    write_atomically(path, content.getvalue())


def spans(n_blocks: int, count: int) -> list[tuple[int, int]]:
    """Cut the blocks before the holdout into ``count`` successive spans of (first, last + 1) block."""
    edges = np.linspace(0, n_blocks, min(count, n_blocks) + 1).round().astype(int)
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _file_name(fingerprint: str) -> str:
    return f"{fingerprint[:24]}.parquet"


def _read(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{path}: snapshot cannot be read ({one_line(error)}); delete it and run again") from None
    if dict(frame.schema) != _SCHEMA:
        raise DataError(f"{path}: snapshot has another layout than this version writes; delete it and run again")
    return frame


def _snapshots(frame: pl.DataFrame, features: Sequence[str]) -> list[tuple[Key, Snapshot]]:
    column = {name: i for i, name in enumerate(features)}
    found = []
    for (target, symbol), part in frame.group_by(["target", "symbol"], maintain_order=True):
        importance = np.zeros(len(features))
        importance[[column[f] for f in part["feature"]]] = part["importance"].to_numpy()
        snapshot = Snapshot(
            start=int(part["start"][0]),
            end=int(part["end"][0]),
            importance=importance,
            windows=float(part["windows"][0]),
        )
        found.append(((str(target), None if symbol is None else str(symbol)), snapshot))
    return found
