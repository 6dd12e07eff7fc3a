"""Load a panel: find, choose, read, check, assemble.

1. ``sources``: which files hold which symbols.
2. ``columns``: what is a feature, what a target, which horizon; every file must have every chosen column.
3. ``reading``: one symbol after the other, as float32, ascending in time, no duplicates, nothing infinite.
4. ``timeline``: the interval between bars, the same for all symbols.
5. ``targets``: labels, the end of each label, the task.
6. Features that are empty or constant over the whole panel are left out, and told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.config.schema import DataConfig
from trainroute.errors import ConfigError, DataError, UnknownNameError
from trainroute.panel.columns import Columns, TargetColumn, choose_columns
from trainroute.panel.durations import parse_duration
from trainroute.panel.manifest import PrepareManifest, read_prepare_manifest
from trainroute.panel.names import data_columns
from trainroute.panel.panel import Panel, SymbolRows, Target
from trainroute.panel.reading import SymbolFrame, SymbolReader
from trainroute.panel.repairs import Repairs
from trainroute.panel.sources import data_fingerprint, find_sources
from trainroute.panel.targets import ClassCounter, horizon_bars, horizon_us, label_end, target_values
from trainroute.panel.timeline import bar_interval
from trainroute.progress import Progress, SilentProgress


@dataclass(kw_only=True)
class _Read:
    """One symbol on its way into the panel."""

    frame: SymbolFrame
    targets: NDArray[np.float32]


@dataclass(kw_only=True)
class _Extremes:
    """The smallest and largest value of each feature; NaN where it has none."""

    low: NDArray[np.float32]
    high: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.high = self.low.copy()

    def add(self, features: NDArray[np.float32]) -> None:
        """Take one symbol's values in; it has at least one row."""
        self.low = np.fmin(self.low, np.fmin.reduce(features, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(features, axis=0))


def load_panel(
    data_dir: Path,
    config: DataConfig,
    *,
    symbols: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    progress: Progress = SilentProgress(),  # noqa: B008 - stateless
) -> Panel:
    """Read a data directory into a checked panel.

    Parameters
    ----------
    data_dir : Path
        Files as described in ``trainroute.panel.sources``.
    config : DataConfig
    symbols : sequence of str, optional
        Only these; other symbols' own files are not opened.
    targets, features : sequence of str, optional
        Only these columns.
    progress : Progress
        One step, one part per symbol.

    Returns
    -------
    Panel
        ``Panel.repairs`` tells what was repaired or left out; the same lines are logged.

    Raises
    ------
    DataError, ConfigError, UnknownNameError
        For anything that cannot be used or repaired; the message names file, column or symbol.
    """
    repairs = Repairs()
    sources = [(source, source.schema) for source in find_sources(data_dir, symbols)]
    _require_excluded(data_dir, [schema for _, schema in sources], config)
    manifest = read_prepare_manifest(data_dir)
    columns = choose_columns(sources, config, manifest, targets=targets, features=features)
    repairs.note("columns without numbers left out", columns.not_numeric)
    counters = [ClassCounter(target) for target in columns.targets]
    extremes = _Extremes(low=np.full(len(columns.features), np.nan, dtype=np.float32))
    reads: list[_Read] = []
    reader = SymbolReader(sources, columns, symbols, repairs)
    with progress.step("Reading data", len(reader)) as step:
        for frame in reader:
            reads.append(_take(frame, columns, counters, extremes, repairs))
            step.advance()
    interval = panel_interval({read.frame.symbol: read.frame.time for read in reads}, config, manifest)
    panel_targets, ends = _describe(columns.targets, counters, interval)
    kept = _useful(columns.features, extremes, repairs)
    timestamps = np.unique(np.concatenate([read.frame.time for read in reads]))
    rows = tuple(_rows(read, timestamps, kept, ends, interval) for read in reads)
    repairs.log()
    return Panel(
        timestamps=timestamps,
        bar_interval_us=interval,
        rows=rows,
        features=tuple(columns.features[k] for k in kept),
        targets=panel_targets,
        fingerprint=data_fingerprint(data_dir, symbols),
        repairs=repairs.lines(),
    )


def _require_excluded(data_dir: Path, schemas: Sequence[pl.Schema], config: DataConfig) -> None:
    """Raise ConfigError for the first of ``data.exclude_columns`` that no file has, those of other symbols included."""
    if all(any(name in schema for schema in schemas) for name in config.exclude_columns):
        return
    known = data_columns(data_dir)
    for name in config.exclude_columns:
        if name not in known:
            raise ConfigError(f"data.exclude_columns: {UnknownNameError('column', name, known)}")


def _take(
    frame: SymbolFrame, columns: Columns, counters: Sequence[ClassCounter], extremes: _Extremes, repairs: Repairs
) -> _Read:
    extremes.add(frame.features)
    labels = np.empty((len(frame.time), len(columns.targets)), dtype=np.float32)
    for k, (target, counter) in enumerate(zip(columns.targets, counters, strict=True)):
        labels[:, k] = target_values(frame, target, repairs)
        counter.add(labels[:, k])
    return _Read(frame=frame, targets=labels)


def panel_interval(times: Mapping[str, NDArray[np.int64]], config: DataConfig, manifest: PrepareManifest | None) -> int:
    """Return the interval between bars in µs: as configured, as ``prepare`` recorded it, else as inferred.

    Raises
    ------
    ConfigError
        If the configured one is no duration.
    DataError
        If the symbols disagree, see `bar_interval`.
    """
    if config.bar_interval is None and manifest is not None:
        return manifest.bar_interval_us
    try:
        configured = None if config.bar_interval is None else parse_duration(config.bar_interval)
    except ValueError as error:
        raise ConfigError(f"data.bar_interval: {error}") from None
    return bar_interval(times, configured)


def _describe(
    columns: Sequence[TargetColumn], counters: Sequence[ClassCounter], interval: int
) -> tuple[tuple[Target, ...], list[TargetColumn]]:
    """Return the targets, and for each distinct way to end a label a target that stands for it."""
    stands: dict[tuple[object, ...], int] = {}
    ends: list[TargetColumn] = []
    described: list[Target] = []
    for column, counter in zip(columns, counters, strict=True):
        bars, length = horizon_bars(column, interval), horizon_us(column, interval)
        by_shift = bool(column.settings.shift_bars) and column.settings.horizon is None
        key = (column.label_end, bars) if column.label_end is not None else (None, bars, length, by_shift)
        if key not in stands:
            stands[key] = len(ends)
            ends.append(column)
        task, classes = counter.task()
        described.append(
            Target(
                name=column.name,
                task=task,
                classes=classes,
                horizon_us=length,
                horizon_bars=bars,
                horizon_index=stands[key],
            )
        )
    return tuple(described), ends


def _useful(features: Sequence[str], extremes: _Extremes, repairs: Repairs) -> list[int]:
    empty = np.isnan(extremes.low)
    constant = extremes.low == extremes.high
    repairs.note("features without any value left out", [features[k] for k in np.flatnonzero(empty).tolist()])
    repairs.note("constant features left out", [features[k] for k in np.flatnonzero(constant).tolist()])
    kept: list[int] = np.flatnonzero(~(empty | constant)).tolist()
    if not kept:
        raise DataError(
            f"no feature is left of {len(features)}; expected numeric columns that are no raw prices, ids or targets "
            "(data.use_raw_columns: true takes raw columns too; 'trainroute prepare' makes features from bars)"
        )
    return kept


def _rows(
    read: _Read, timestamps: NDArray[np.int64], kept: Sequence[int], ends: Sequence[TargetColumn], interval: int
) -> SymbolRows:
    label_ends = [label_end(read.frame, target, interval) for target in ends]
    full = len(kept) == read.frame.features.shape[1]
    return SymbolRows(
        symbol=read.frame.symbol,
        time_index=np.searchsorted(timestamps, read.frame.time).astype(np.int32),
        features=read.frame.features if full else np.ascontiguousarray(read.frame.features[:, kept]),
        targets=read.targets,
        label_end=np.stack(label_ends, axis=1),
    )
