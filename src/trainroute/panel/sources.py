"""Find the files of a data directory, and which symbols they hold.

A file below the directory, at any depth, is one of

- ``symbol=AAPL/*.parquet``: rows of the symbol that the folder names,
- a long file: any other file with a column ``symbol``,
- ``AAPL.parquet``: any other file, named after its symbol.

``.csv`` counts like ``.parquet``. In place of a directory, one such file may be given. Symbols in file and folder
names are percent-decoded. Hidden files are passed over.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import polars as pl

from trainroute.errors import DataError, UnknownNameError, UsageError
from trainroute.panel.manifest import MANIFEST_NAME, read_prepare_manifest

SUFFIXES = (".parquet", ".pq", ".csv")
SYMBOL_COLUMN = "symbol"
_CHUNK_BYTES = 1 << 20
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data file.

    Attributes
    ----------
    path : Path
    relative : str
        Its path below the data directory, with ``/``.
    symbol : str or None
        Whose rows it holds; None for a long file.
    """

    path: Path
    relative: str
    symbol: str | None

    def scan(self) -> pl.LazyFrame:
        """Open the file lazily; text in a CSV file stays text, every row counts for the type of a column."""
        if self.path.suffix == ".csv":
            overrides = dict.fromkeys((SYMBOL_COLUMN, SYMBOL_COLUMN.capitalize()), pl.String)
            return pl.scan_csv(self.path, infer_schema_length=None, schema_overrides=overrides)
        return pl.scan_parquet(self.path, hive_partitioning=False)

    @cached_property
    def schema(self) -> pl.Schema:
        """The names and types of the columns."""
        return self.reading(lambda: self.scan().collect_schema())

    def header(self) -> list[str]:
        """Return the names of the columns, without reading the rows of a CSV file."""
        if self.path.suffix != ".csv":
            return self.schema.names()
        return self.reading(lambda: pl.scan_csv(self.path, infer_schema=False).collect_schema().names())

    def reading(self, read: Callable[[], T]) -> T:
        """Call ``read``; what goes wrong is an error that names this file.

        Raises
        ------
        DataError
            If the file cannot be read.
        """
        try:
            return read()
        except pl.exceptions.InvalidOperationError as error:
            problem = next(iter(str(error).splitlines()))
            raise DataError(f"{self.path}: expected numbers, but {problem}") from None
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            kind = "CSV" if self.path.suffix == ".csv" else "Parquet"
            problem = next(iter(str(error).splitlines()), type(error).__name__)
            raise DataError(
                f"{self.path}: cannot be read as {kind} ({problem}); write it again or take it out"
            ) from None


def find_sources(data_dir: Path, symbols: Sequence[str] | None = None) -> tuple[Source, ...]:
    """List the data files that hold ``symbols`` (long files: that may hold them), sorted by path.

    Raises
    ------
    DataError
        If the directory is missing or holds no data file, a listed file is missing, or one symbol has several bar
        intervals below it.
    UnknownNameError
        If no file can hold an asked-for symbol.
    UsageError
        If ``symbols`` is empty.
    """
    if symbols is not None and not symbols:
        raise UsageError("no symbol was asked for; give at least one, or leave the choice out to take all")
    everything = _all_sources(data_dir)
    if symbols is None:
        sources = everything
    else:
        wanted = set(symbols)
        sources = [source for source in everything if source.symbol is None or source.symbol in wanted]
        if all(source.symbol is not None for source in everything):
            known = {source.symbol for source in everything if source.symbol is not None}
            require_known(sorted(wanted), known)
    _refuse_two_intervals(data_dir, sources)
    return tuple(sources)


def require_known(symbols: Sequence[str], known: set[str]) -> None:
    """Raise UnknownNameError for the first of ``symbols`` that is not ``known``."""
    for symbol in symbols:
        if symbol not in known:
            raise UnknownNameError("symbol", symbol, known)


def data_fingerprint(data_dir: Path, symbols: Sequence[str] | None = None) -> str:
    """Return the SHA-256 of the content of the files that hold these symbols (None: all files).

    Relative paths and bytes are hashed, and the manifest of ``prepare``; no file time is.
    """
    digest = hashlib.sha256()
    files = [(source.relative, source.path) for source in find_sources(data_dir, symbols)]
    if (data_dir / MANIFEST_NAME).is_file():
        files.append((MANIFEST_NAME, data_dir / MANIFEST_NAME))
    for relative, path in files:
        digest.update(f"{relative}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def symbol_column(names: Iterable[str]) -> str | None:
    """Return the name of the column that holds symbols, whatever its case."""
    return next((name for name in names if name.casefold() == SYMBOL_COLUMN), None)


def _all_sources(data_dir: Path) -> list[Source]:
    if data_dir.is_file() and data_dir.name.endswith(SUFFIXES):
        return [_source(data_dir.parent, data_dir, {})]
    if not data_dir.is_dir():
        raise DataError(f"{data_dir}: no such directory; expected one with symbol=X/*.parquet, X.parquet or long files")
    manifest = read_prepare_manifest(data_dir)
    listed = {} if manifest is None else {path: symbol for symbol, path in manifest.files.items()}
    for relative in listed:
        if not (data_dir / relative).is_file():
            raise DataError(f"{data_dir / relative}: missing, though {MANIFEST_NAME} lists it; run prepare again")
    found = {*data_files(data_dir), *(data_dir / relative for relative in listed)}
    paths = sorted(found, key=lambda path: path.relative_to(data_dir).parts)
    if not paths:
        raise DataError(
            f"{data_dir}: no .parquet or .csv file in it; expected symbol=X/*.parquet, X.parquet or long files"
        )
    return [_source(data_dir, path, listed) for path in paths]


def data_files(data_dir: Path) -> Iterator[Path]:
    """Yield the data files below a directory, hidden ones apart, in no particular order."""
    seen = {data_dir.resolve()}
    for folder, folders, files in os.walk(data_dir, followlinks=True):
        visible = [name for name in folders if not name.startswith(".")]
        fresh = {name: resolved for name in visible if (resolved := (Path(folder) / name).resolve()) not in seen}
        seen.update(fresh.values())
        folders[:] = list(fresh)
        yield from (Path(folder) / name for name in files if name.endswith(SUFFIXES) and not name.startswith("."))


def _source(data_dir: Path, path: Path, listed: Mapping[str, str]) -> Source:
    relative = path.relative_to(data_dir).as_posix()
    if any("\ud800" <= character <= "\udfff" for character in relative):
        raise DataError(f"{str(path)!r}: its name is not valid Unicode; rename the file")
    named = listed.get(relative, _hive_value(relative, "symbol"))
    if named == "":
        raise DataError(f"{path}: its folder names no symbol; expected symbol=X")
    source = Source(path=path, relative=relative, symbol=named)
    if named is not None or symbol_column(source.header()) is not None:
        return source
    return Source(path=path, relative=relative, symbol=unquote(path.stem))


def _hive_value(relative: str, key: str) -> str | None:
    values = [part[len(key) + 1 :] for part in relative.split("/")[:-1] if part.startswith(f"{key}=")]
    return unquote(values[-1]) if values else None


def _refuse_two_intervals(data_dir: Path, sources: Sequence[Source]) -> None:
    folders: dict[str | None, str | None] = {}
    for source in sources:
        interval = _hive_value(source.relative, "interval")
        first = folders.setdefault(source.symbol, interval)
        if first != interval:
            raise DataError(
                f"{data_dir}: {source.symbol or 'long files'} under interval={first} and interval={interval}; "
                "expected one bar interval; give the folder of one as the data directory"
            )
