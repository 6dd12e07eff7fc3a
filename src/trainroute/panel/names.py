"""Which symbols, targets and columns a data directory holds, without reading its rows."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from trainroute.config.schema import DataConfig
from trainroute.panel.columns import known_targets
from trainroute.panel.manifest import read_prepare_manifest
from trainroute.panel.sources import Source, find_sources, symbol_column


@dataclass(frozen=True, kw_only=True)
class DataNames:
    """The names in a data directory."""

    symbols: frozenset[str]
    targets: frozenset[str]


def data_names(data_dir: Path, config: DataConfig) -> DataNames:
    """Return the names that a data directory holds; of a long file only the column of symbols is read.

    Raises
    ------
    DataError
        If the directory holds no data file, or one that cannot be read.
    ConfigError
        If ``config.targets`` names a column that does not exist.
    """
    return DataNames(
        symbols=data_symbols(data_dir),
        targets=frozenset(known_targets(data_columns(data_dir), config, read_prepare_manifest(data_dir))),
    )


def data_symbols(data_dir: Path) -> frozenset[str]:
    """Return the symbols that a data directory holds; of a long file only the column of symbols is read.

    Raises
    ------
    DataError
        If the directory holds no data file, or one that cannot be read.
    """
    return frozenset(symbol for source in find_sources(data_dir) for symbol in _symbols(source))


def data_columns(data_dir: Path) -> frozenset[str]:
    """Return every column of any file in a data directory; only headers are read.

    Raises
    ------
    DataError
        If the directory holds no data file, or one that cannot be read.
    """
    return frozenset(name for source in find_sources(data_dir) for name in source.header())


def _symbols(source: Source) -> list[str]:
    if source.symbol is not None:
        return [source.symbol]
    column = symbol_column(source.header())
    if column is None:
        return []
    name = pl.col(column).cast(pl.String)
    found: list[str] = (
        source.reading(lambda: source.scan().select(name).unique().collect()).to_series().drop_nulls().to_list()
    )
    return found
