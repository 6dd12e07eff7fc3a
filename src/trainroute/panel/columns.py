"""Decide what each column is, before any row is read."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from trainroute.config.schema import DataConfig, TargetConfig
from trainroute.errors import ConfigError, DataError, UnknownNameError, bounded
from trainroute.panel.durations import durations_in_name, parse_duration
from trainroute.panel.manifest import PrepareManifest
from trainroute.panel.sources import Source, symbol_column
from trainroute.panel.timeline import time_columns

Kind = Literal["number", "empty", "text", "other"]


@dataclass(frozen=True, kw_only=True)
class TargetColumn:
    """How one target is made.

    Attributes
    ----------
    name : str
    source : str
        The column that is read.
    settings : TargetConfig
        What config says of it; all defaults where it says nothing.
    horizon_us : int or None
        None: ``settings.shift_bars`` bars.
    label_end : str or None
        The column in which ``prepare`` recorded the end of each label.
    recorded_bars : int or None
        The bars of its window as recorded by ``prepare``.
    """

    name: str
    source: str
    settings: TargetConfig
    horizon_us: int | None
    label_end: str | None = None
    recorded_bars: int | None = None


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What is read of each file.

    Attributes
    ----------
    features : tuple of str
        Sorted.
    targets : tuple of TargetColumn
        Sorted by name.
    not_numeric : tuple of str
        Columns that could be features if they held numbers.
    """

    features: tuple[str, ...]
    targets: tuple[TargetColumn, ...]
    not_numeric: tuple[str, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Every column that is read as numbers, each once."""
        return tuple(dict.fromkeys((*self.features, *(target.source for target in self.targets))))

    @property
    def label_ends(self) -> tuple[str, ...]:
        """Every column that records ends of labels, each once."""
        return tuple(dict.fromkeys(target.label_end for target in self.targets if target.label_end is not None))


def choose_columns(
    schemas: Sequence[tuple[Source, pl.Schema]],
    config: DataConfig,
    manifest: PrepareManifest | None,
    *,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
) -> Columns:
    """Choose targets and features among the columns of all files.

    Parameters
    ----------
    schemas : sequence of (Source, Schema)
    config : DataConfig
    manifest : PrepareManifest or None
        Of the data directory.
    targets, features : sequence of str, optional
        Only these.

    Raises
    ------
    DataError
        If there is no target, a target has no numbers, or a file lacks a column that another has.
    ConfigError
        If ``config.targets`` names a column that does not exist, or a horizon is unknown or ambiguous.
    UnknownNameError
        If an asked-for target or feature does not exist.
    """
    kinds = _kinds(schemas)
    known = known_targets(kinds, config, manifest)
    wanted = _only(targets, known, "target")
    if not wanted:
        raise DataError(
            f"no target found in {schemas[0][0].path}: expected a column that starts with "
            f"{', '.join(config.target_prefixes)}, or one named in data.targets; got {bounded(kinds, limit=6)}"
        )
    chosen = tuple(_target(name, kinds, config, manifest, schemas) for name in wanted)
    closed = _never_features(schemas, kinds, known, config, manifest)
    candidates = [name for name in sorted(kinds) if name not in closed]
    numeric = [name for name in candidates if kinds[name] in ("number", "empty")]
    columns = Columns(
        features=tuple(_only(features, numeric, "feature")),
        targets=chosen,
        not_numeric=() if features is not None else tuple(name for name in candidates if name not in numeric),
    )
    _require_everywhere(schemas, columns)
    return columns


def _kinds(schemas: Iterable[tuple[Source, pl.Schema]]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for _, schema in schemas:
        for name, dtype in schema.items():
            kind = _kind(dtype)
            known = kinds.get(name, "empty")
            # Text in one file and numbers in another: an empty CSV column reads as text; real text fails on reading.
            kinds[name] = "number" if "number" in (kind, known) else (kind if known == "empty" else known)
    return kinds


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    if dtype == pl.Null:
        return "empty"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else "other"


def known_targets(columns: Collection[str], config: DataConfig, manifest: PrepareManifest | None) -> list[str]:
    """Return the targets among ``columns`` and those that ``config`` builds from them, sorted.

    Raises
    ------
    ConfigError
        If ``config.targets`` names a column that does not exist, or builds one that does.
    """
    for name, settings in config.targets.items():
        source = settings.source or name
        if source not in columns:
            key = f"data.targets.{name}.source" if settings.source else f"data.targets.{name}"
            raise ConfigError(f"{key}: {UnknownNameError('column', source, columns)}")
        if settings.source is not None and settings.source != name and name in columns:
            raise ConfigError(
                f"data.targets.{name}: is a column already, so it cannot be built from {source!r}; rename it"
            )
    found = {name for name in columns if name.startswith(config.target_prefixes)} | set(config.targets)
    found.update(() if manifest is None else manifest.targets.keys() & set(columns))
    return sorted(found.difference(config.exclude_columns))


def _only(asked: Sequence[str] | None, known: Sequence[str], kind: str) -> list[str]:
    if asked is None:
        return list(known)
    for name in asked:
        if name not in known:
            raise UnknownNameError(kind, name, known)
    return sorted(set(asked))


def _target(
    name: str,
    kinds: Mapping[str, Kind],
    config: DataConfig,
    manifest: PrepareManifest | None,
    schemas: Sequence[tuple[Source, pl.Schema]],
) -> TargetColumn:
    settings = config.targets.get(name, TargetConfig())
    source = settings.source or name
    if kinds[source] in ("text", "other"):
        path = next(where.path for where, schema in schemas if source in schema)
        raise DataError(f"{path}: target column {source!r} holds no numbers; expected numbers or booleans")
    prepared = manifest.targets.get(source) if manifest is not None and settings.shift_bars == 0 else None
    return TargetColumn(
        name=name,
        source=source,
        settings=settings,
        horizon_us=_horizon(name, settings),
        label_end=None if prepared is None else prepared.label_end,
        recorded_bars=None if prepared is None else prepared.horizon_bars,
    )


def _horizon(name: str, settings: TargetConfig) -> int | None:
    key = f"data.targets.{name}.horizon"
    if settings.horizon is not None:
        try:
            return parse_duration(settings.horizon)
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from None
    found = durations_in_name(name)
    if len(found) == 1:
        return parse_duration(found[0])
    if settings.shift_bars:
        return None
    if found:
        raise DataError(f"target {name!r}: its name holds several horizons ({', '.join(found)}); set {key}")
    raise DataError(f"target {name!r}: no horizon in its name (such as _10m or _5d); set {key}")


def _never_features(
    schemas: Sequence[tuple[Source, pl.Schema]],
    kinds: Mapping[str, Kind],
    known_targets: Iterable[str],
    config: DataConfig,
    manifest: PrepareManifest | None,
) -> set[str]:
    closed = {*known_targets, *config.exclude_columns}
    for source, schema in schemas:
        closed.update(time_columns(schema, source.path))
        closed.update(filter(None, [symbol_column(schema)]))
    ids = {name.casefold() for name in config.id_columns}
    raw = set() if config.use_raw_columns else {name.casefold() for name in config.raw_columns}
    closed.update(name for name in kinds if name.casefold() in ids | raw)
    # A target that is not moved ahead is its source column: the answer itself.
    closed.update(s.source for s in config.targets.values() if s.source is not None and s.shift_bars == 0)
    if manifest is not None:
        closed.update(target.label_end for target in manifest.targets.values())
    return closed


def _require_everywhere(schemas: Sequence[tuple[Source, pl.Schema]], columns: Columns) -> None:
    for column in (*columns.values, *columns.label_ends):
        lacking: list[Path] = [source.path for source, schema in schemas if column not in schema]
        if lacking:
            having = next((source.path for source, schema in schemas if column in schema), None)
            reason = f"which {having} has" if having is not None else "which the manifest of prepare lists"
            raise DataError(
                f"{lacking[0]}: column {column!r} is missing ({len(lacking)} of {len(schemas)} files), {reason}; "
                "add it (null where unknown) or put it into data.exclude_columns"
            )
