"""``prepare``: bars to features and targets, one file per symbol, with a manifest.

1. ``clean``: read the bars, leave out impossible ones, gather them to longer bars if asked.
2. ``labels``: what each target's name asks for.
3. ``recipe``: the features of all symbols, then those across symbols.
4. Each symbol's bars, features, labels and label ends go to ``symbol=X/X.parquet``; the manifest says how they were
   made, so that loading knows where labels end and leak checks can make the features again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from trainroute.errors import DataError, UsageError, bounded
from trainroute.panel.bars import SYMBOL, TIME
from trainroute.panel.manifest import MANIFEST_NAME, PrepareManifest, read_prepare_manifest, write_prepare_manifest
from trainroute.panel.prepare.clean import bar_facts, read_bars, resample_bars
from trainroute.panel.prepare.group import BarFacts
from trainroute.panel.prepare.labels import TargetRequest, default_targets, label_columns, parse_target
from trainroute.panel.prepare.recipe import RECIPE_VERSION, compute_features, feature_list, with_helpers
from trainroute.panel.repairs import Repairs
from trainroute.panel.sources import data_files
from trainroute.progress import Progress, SilentProgress
from trainroute.records.names import file_names


@dataclass(frozen=True, kw_only=True)
class PrepareSummary:
    """What ``prepare`` wrote.

    Attributes
    ----------
    data_dir : Path
    symbols, features, targets : tuple of str
    n_rows : int
    bar_interval_us : int
    repairs : tuple of str
        What was repaired or left out, one line each.
    """

    data_dir: Path
    symbols: tuple[str, ...]
    features: tuple[str, ...]
    targets: tuple[str, ...]
    n_rows: int
    bar_interval_us: int
    repairs: tuple[str, ...]


def prepare(
    source: Path,
    data_dir: Path,
    *,
    targets: Sequence[str] | None = None,
    resample: str | None = None,
    symbols: Sequence[str] | None = None,
    progress: Progress = SilentProgress(),  # noqa: B008 - stateless
) -> PrepareSummary:
    """Turn bars into features and targets that ``load_panel`` reads.

    Parameters
    ----------
    source : Path
        A directory of bars in any layout of ``trainroute.panel.sources``, or one file.
    data_dir : Path
        Where to write. What an earlier ``prepare`` wrote there is replaced.
    targets : sequence of str, optional
        Names such as ``y_up_5d`` or ``y_will_swing_low_10m_0.20``; without them a set fit for the bar interval.
    resample : str, optional
        Gather the bars to this interval first, e.g. ``5m``.
    symbols : sequence of str, optional
        Only these.
    progress : Progress

    Returns
    -------
    PrepareSummary

    Raises
    ------
    DataError
        If the bars cannot be used, a target asked for comes out empty or constant, or ``data_dir`` holds other data.
    UsageError
        If a target's name cannot be read, or ``data_dir`` is the source or lies in it.
    """
    if data_dir.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"data directory {data_dir} lies in the source {source}; choose another one")
    repairs = Repairs()
    bars = read_bars(source, symbols, repairs)
    bars, interval_us = (bars, None) if resample is None else resample_bars(bars, resample)
    facts = bar_facts(bars, interval_us)
    return prepare_bars(bars, facts, data_dir, targets=targets, resample=resample, repairs=repairs, progress=progress)


def prepare_bars(
    bars: pl.DataFrame,
    facts: BarFacts,
    data_dir: Path,
    *,
    targets: Sequence[str] | None,
    repairs: Repairs,
    resample: str | None = None,
    progress: Progress = SilentProgress(),  # noqa: B008 - stateless
) -> PrepareSummary:
    """Do the same with clean bars in memory: ``symbol``, ``ts`` and bar columns, sorted by symbol and time."""
    names = default_targets(facts.interval_us) if targets is None else dict.fromkeys(targets)
    requests = [parse_target(name, facts.interval_us) for name in names]
    features = compute_features(bars, facts, progress)
    labels = _labels(bars, requests, facts)
    requests = _usable(requests, labels, repairs, asked=targets is not None)
    columns = dict.fromkeys([request.name for request in requests] + [request.label_end for request in requests])
    table = pl.concat([bars, features.drop(SYMBOL, TIME), labels.select(*columns)], how="horizontal")
    names_on_disk = file_names(bars[SYMBOL].unique().to_list())
    manifest = PrepareManifest(
        recipe_version=RECIPE_VERSION,
        bar_interval_us=facts.interval_us,
        resample=resample,
        bar_columns=tuple(name for name in bars.columns if name in facts.columns),
        features=feature_list(facts),
        targets={request.name: request.describe() for request in requests},
        files={symbol: f"symbol={name}/{name}.parquet" for symbol, name in sorted(names_on_disk.items())},
    )
    _write(table, data_dir, manifest, progress)
    repairs.log()
    return PrepareSummary(
        data_dir=data_dir,
        symbols=tuple(manifest.files),
        features=tuple(feature.name for feature in manifest.features),
        targets=tuple(manifest.targets),
        n_rows=len(table),
        bar_interval_us=facts.interval_us,
        repairs=repairs.lines(),
    )


def _labels(bars: pl.DataFrame, requests: Sequence[TargetRequest], facts: BarFacts) -> pl.DataFrame:
    pieces = bars.partition_by(SYMBOL, maintain_order=True)
    return pl.concat([label_columns(with_helpers(piece, facts), requests, facts) for piece in pieces])


def _usable(
    requests: Sequence[TargetRequest], labels: pl.DataFrame, repairs: Repairs, *, asked: bool
) -> list[TargetRequest]:
    distinct = labels.select(pl.col(request.name).drop_nulls().n_unique() for request in requests).row(0, named=True)
    flat = [request.name for request in requests if distinct[request.name] <= 1]
    if flat and (asked or len(flat) == len(requests)):
        raise DataError(
            f"target {flat[0]!r} has no two labels that differ in {len(labels)} rows; "
            "give more history, another horizon or another size"
        )
    repairs.note("default targets without two labels that differ left out", flat)
    return [request for request in requests if request.name not in flat]


def _write(table: pl.DataFrame, data_dir: Path, manifest: PrepareManifest, progress: Progress) -> None:
    _clear(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    # The manifest comes first: a directory that is incomplete then fails on loading, and can be prepared again.
    write_prepare_manifest(data_dir, manifest)
    with progress.step("Writing data", len(manifest.files)) as step:
        for part in table.partition_by(SYMBOL, maintain_order=True):
            path = data_dir / manifest.files[str(part[SYMBOL][0])]
            path.parent.mkdir(exist_ok=True)
            unfinished = path.with_suffix(".tmp")
            part.drop(SYMBOL).write_parquet(unfinished, compression="lz4")
            unfinished.replace(path)
            step.advance()


def _clear(data_dir: Path) -> None:
    """Delete what an earlier ``prepare`` wrote, and nothing else."""
    if not data_dir.exists():
        return
    manifest = read_prepare_manifest(data_dir)
    own = set() if manifest is None else {(data_dir / relative).resolve() for relative in manifest.files.values()}
    foreign = sorted(str(path) for path in data_files(data_dir) if path.resolve() not in own)
    if foreign:
        raise DataError(
            f"{data_dir} holds data that prepare did not write ({bounded(foreign)}); choose an empty directory"
        )
    for path in own:
        if path.is_relative_to(data_dir.resolve()) and path.exists():
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
    (data_dir / MANIFEST_NAME).unlink(missing_ok=True)
