"""Read and write the routing candidates table: Parquet, CSV or JSON, ours or a user's.

A table that trainroute wrote carries the hash of its content (Parquet: in the file; CSV: in ``routing_candidates.json``
beside it) and is refused when it no longer matches. Any other table is taken as a user's.
"""

import codecs
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from trainroute.errors import BrokenPlanError, CandidatesError, EditedPlanError, PlanNotFoundError, one_line
from trainroute.records.artifacts import HASH_KEY, atomic, chunks_of, read_parts, write_parts
from trainroute.records.candidates import CANDIDATES_SCHEMA_VERSION, COLUMNS, Candidates
from trainroute.records.candidates_checks import validate_candidates, warn_of_unknown
from trainroute.records.candidates_text import columns_of_csv, columns_of_rows, flattened
from trainroute.records.directories import Together
from trainroute.records.frames import encoded, json_text
from trainroute.records.regular_files import read_regular

__all__ = ["TableFormat", "find_candidates", "read_candidates", "validate_candidates", "write_candidates"]

TableFormat = Literal["PARQUET", "CSV"]

STEM = "routing_candidates"
_SUFFIXES: dict[TableFormat, str] = {"PARQUET": ".parquet", "CSV": ".csv"}
_HASH_ENTRY = "trainroute.content_hash"
_VERSION_ENTRY = "trainroute.schema_version"


def find_candidates(metrics_dir: Path) -> Path | None:
    """Return the candidates table in a ``METRICS`` directory, or None."""
    found = (metrics_dir / f"{STEM}{suffix}" for suffix in (*_SUFFIXES.values(), ".json"))
    return next((path for path in found if path.exists()), None)


def write_candidates(
    candidates: Candidates,
    metrics_dir: Path,
    *,
    table_format: TableFormat = "PARQUET",
    together: Together | None = None,
) -> Path:
    """Write ``routing_candidates.parquet`` (or ``.csv``) and ``routing_candidates.json``; return the table's path.

    Columns that the table did not come with are not written, so that "not known" stays "not known". With ``together``
    the files take their places when all else does.
    """
    put = atomic if together is None else together.file
    table = metrics_dir / f"{STEM}{_SUFFIXES[table_format]}"
    frame = candidates.frame.select(name for name in COLUMNS if name in candidates.provided)
    if table_format == "PARQUET":
        entries = {_HASH_ENTRY: candidates.content_hash, _VERSION_ENTRY: str(CANDIDATES_SCHEMA_VERSION)}
        content = io.BytesIO()  # what the disk refuses is an error of the system then, not one of Polars
        frame.write_parquet(content, metadata=entries)
        put(table, lambda file: file.write(content.getbuffer()))
    else:
        put(table, lambda file: flattened(frame).write_csv(file))
    parts = _json_parts(candidates, frame, table.name)
    put(metrics_dir / f"{STEM}.json", lambda file: write_parts(file, parts))

    def remove_others() -> None:
        for suffix in _SUFFIXES.values():
            if suffix != table.suffix:
                (metrics_dir / f"{STEM}{suffix}").unlink(missing_ok=True)

    if together is None:
        remove_others()
    else:
        together.then(remove_others)
    return table


def read_candidates(path: Path | str) -> Candidates:
    """Read a candidates table and check it.

    Parameters
    ----------
    path : Path or str
        ``.parquet``, ``.csv`` or ``.json`` (a list of row objects, or an object with the key ``candidates``).

    Raises
    ------
    CandidatesError
        If it cannot be read, breaks its contract, or is ours and was edited.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path], Candidates]] = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".json": _read_json,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise CandidatesError(f"{path}: expected a file that ends in {', '.join(readers)}")
    if not path.exists():
        raise CandidatesError(f"{path}: not found; expected a candidates table, as 'trainroute run' writes it")
    try:
        return reader(path)
    except (PolarsError, OSError, UnicodeDecodeError, OverflowError) as error:
        raise _unreadable(path, error) from None


def _read_parquet(path: Path) -> Candidates:
    frame, entries = _parquet(path)
    candidates = validate_candidates(frame, str(path), warn=False)
    _check_version(path, entries.get(_VERSION_ENTRY, str(CANDIDATES_SCHEMA_VERSION)))
    recorded = entries[_HASH_ENTRY] if _HASH_ENTRY in entries else _recorded_hash(path)
    _check_hash(path, candidates, recorded)
    warn_of_unknown(frame, str(path))
    return candidates


def _parquet(path: Path) -> tuple[pl.DataFrame, dict[str, str]]:
    """Read a Parquet file and its entries by PyArrow: of a corrupted one Polars may print more than its error."""
    import pyarrow as pa  # noqa: PLC0415 - only tables need it
    from pyarrow import parquet  # noqa: PLC0415 - as above

    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())  # the other one keeps what it no longer needs
    try:
        file = parquet.ParquetFile(pa.BufferReader(read_regular(path)))
        table = file.read().replace_schema_metadata()
        table.validate(full=True)
        table.column_names  # noqa: B018 - decodes them, which Polars does not survive where they are no text
        frame = pl.DataFrame(pl.from_arrow(table))
    except (pa.ArrowException, pl.exceptions.PanicException) as error:
        raise _unreadable(path, error) from None
    finally:
        pa.set_memory_pool(pool)
    return frame, {name.decode(): text.decode() for name, text in (file.metadata.metadata or {}).items()}


def _read_csv(path: Path) -> Candidates:
    frame, faults = columns_of_csv(read_regular(path))
    candidates = validate_candidates(frame, str(path), found=faults, warn=False)
    _check_hash(path, candidates, _recorded_hash(path))
    warn_of_unknown(frame, str(path))
    return candidates


def _recorded_hash(path: Path) -> str | None:
    """Return the content hash that our JSON beside a table of ours records."""
    beside = path.with_suffix(".json")
    if path.stem != STEM or not beside.exists():
        return None
    try:
        metadata = msgspec.json.decode(read_parts(beside).get("metadata", b"{}"))
    except (BrokenPlanError, PlanNotFoundError, msgspec.DecodeError) as error:
        raise CandidatesError(f"{path}: cannot be checked: {error}") from None
    recorded = metadata.get("content_hash") if isinstance(metadata, dict) else None
    return recorded if isinstance(recorded, str) else None


def _read_json(path: Path) -> Candidates:
    data = read_regular(path).removeprefix(codecs.BOM_UTF8)
    try:
        document = msgspec.json.decode(data)
        ours = _is_ours(document)
        if ours:
            read_parts(path)
        else:
            json.loads(data, object_pairs_hook=_without_doubles)
    except EditedPlanError:
        raise _edited(path) from None
    except (msgspec.DecodeError, BrokenPlanError, RecursionError) as error:
        raise _unreadable(path, error) from None
    rows = document.get("candidates") if isinstance(document, dict) else document
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CandidatesError(f"{path}: expected a list of row objects, or an object with that list as 'candidates'")
    frame, faults = columns_of_rows(rows)
    candidates = validate_candidates(frame, str(path), found=faults, warn=False)
    if ours:
        _check_version(path, str(document["metadata"].get("schema_version")))
        _check_hash(path, candidates, str(document["metadata"].get("content_hash")))
    warn_of_unknown(frame, str(path))
    return candidates


def _is_ours(document: object) -> bool:
    """Whether a JSON document claims to be written by trainroute; a table of a user may have metadata of its own.

    Raises
    ------
    BrokenPlanError
        If it claims so and has no metadata.
    """
    if not isinstance(document, dict):
        return False
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        return HASH_KEY in document or "content_hash" in metadata
    if HASH_KEY in document:
        raise BrokenPlanError("has no metadata")
    return False


def _without_doubles(members: list[tuple[str, Any]]) -> None:
    """Refuse a JSON object that names a key twice: which of the two was meant, nobody knows."""
    names = [name for name, _ in members]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BrokenPlanError(f"{twice!r} stands twice in one row")


def _check_version(path: Path, version: str) -> None:
    if version != str(CANDIDATES_SCHEMA_VERSION):
        raise CandidatesError(
            f"{path}: schema_version is {version}, expected {CANDIDATES_SCHEMA_VERSION}; "
            "it was written by another version of trainroute"
        )


def _check_hash(path: Path, candidates: Candidates, recorded: str | None) -> None:
    if recorded is not None and recorded != candidates.content_hash:
        raise _edited(path)


def _edited(path: Path) -> CandidatesError:
    return CandidatesError(
        f"{path}: its content does not match the hash that was written with it: edited or corrupted; run 'trainroute "
        "run' again, or save its rows from another tool to use them as your own table"
    )


_ADVICE = "You might want to try"
"""What follows in messages of Polars names options of Polars."""


def _unreadable(path: Path, error: BaseException) -> CandidatesError:
    reason = one_line(str(error).split(_ADVICE)[0]) or type(error).__name__
    return CandidatesError(f"{path}: cannot be read ({reason}); restore it or write it again")


def _json_parts(candidates: Candidates, frame: pl.DataFrame, table: str) -> dict[str, list[bytes]]:
    metadata = {
        "schema_version": CANDIDATES_SCHEMA_VERSION,
        "table": table,
        "rows": frame.height,
        "columns": frame.columns,
        "metrics_snapshot": candidates.snapshot,
        "content_hash": candidates.content_hash,
    }
    return {
        "metadata": [msgspec.json.encode(metadata, order="sorted")],
        "candidates": chunks_of(b"[", encoded(frame, json_text(frame.columns)), b"]"),
    }
