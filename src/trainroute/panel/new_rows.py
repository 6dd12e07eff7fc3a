"""Read new rows for models that are trained: times and features; labels only where somebody asks for them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from trainroute.config.schema import DataConfig
from trainroute.errors import DataError
from trainroute.panel.columns import Columns, TargetColumn, choose_columns
from trainroute.panel.manifest import read_prepare_manifest
from trainroute.panel.reading import SymbolReader
from trainroute.panel.repairs import Repairs
from trainroute.panel.sources import Source, find_sources


def read_new_rows(
    data_dir: Path,
    symbols: Sequence[str],
    features: Sequence[str],
    *,
    labels: TargetColumn | None = None,
    repairs: Repairs | None = None,
) -> SymbolReader:
    """Read times and these features, symbol by symbol; no other column is looked at.

    Parameters
    ----------
    data_dir : Path
    symbols : sequence of str
    features : sequence of str
        In the order of the columns of ``SymbolFrame.features``.
    labels : TargetColumn, optional
        Read the column of this target too, see `label_column`.
    repairs : Repairs, optional
        Where to note what was repaired.

    Raises
    ------
    DataError
        If a file lacks a feature or holds something else than numbers in it, or its rows break an invariant.
    UnknownNameError
        If a symbol is in no file.
    """
    sources = _opened(data_dir, symbols)
    _check_features(sources, dict.fromkeys(features, "a model"))
    columns = Columns(features=tuple(features), targets=() if labels is None else (labels,), not_numeric=())
    return SymbolReader(sources, columns, symbols, Repairs() if repairs is None else repairs)


def require_features(data_dir: Path, symbols: Sequence[str], read_by: Mapping[str, str]) -> None:
    """Check, by headers alone, that every file of some symbols has the features that models read, as numbers.

    Parameters
    ----------
    data_dir : Path
    symbols : sequence of str
    read_by : mapping of str to str
        For each feature a model that reads it.

    Raises
    ------
    DataError
        If one lacks; the message names file, column and model.
    """
    _check_features(_opened(data_dir, symbols), read_by)


def label_column(data_dir: Path, symbols: Sequence[str], config: DataConfig, target: str) -> TargetColumn:
    """Return how a target is made from the columns of the data.

    Raises
    ------
    DataError, ConfigError, UnknownNameError
        As `trainroute.panel.load_panel`.
    """
    found = choose_columns(
        _opened(data_dir, symbols), config, read_prepare_manifest(data_dir), targets=[target], features=()
    )
    return found.targets[0]


def _opened(data_dir: Path, symbols: Sequence[str]) -> list[tuple[Source, pl.Schema]]:
    return [(source, source.schema) for source in find_sources(data_dir, symbols)]


def _check_features(sources: Iterable[tuple[Source, pl.Schema]], read_by: Mapping[str, str]) -> None:
    for source, schema in sources:
        for name, model in read_by.items():
            if name not in schema:
                raise DataError(
                    f"{source.path}: column {name!r} is missing, which {model} reads; add it (null where unknown)"
                )
            if not _numeric(source, schema[name]):
                raise DataError(
                    f"{source.path}: column {name!r} has type {schema[name]}; {model} reads numbers or booleans"
                )


def _numeric(source: Source, dtype: pl.DataType) -> bool:
    # A CSV column without any value reads as text; real text fails on reading.
    empty = dtype == pl.Null or (dtype == pl.String and source.path.suffix == ".csv")
    return dtype.is_numeric() or dtype == pl.Boolean or empty
