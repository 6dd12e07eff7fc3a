"""The decisions of a routing plan as columns: a Parquet file beside the JSON, for tables and for a fast reader.

One row per (target, symbol), with scores and evidence as plain columns and without what only explains (reasons and
margins). It is read in place of the JSON, which takes some fifty times as long to decode, only if

1. every byte of the JSON is still what this file was written beside (``trainroute.json_sha256``), and
2. every byte of this file is what was written: it carries a seal, the SHA-256 of itself with the seal's digits zero.

Else there is nothing to read, and who asked decodes the JSON: whatever is wrong with that is said then.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from trainroute.logs import LOGGER
from trainroute.parallel import ahead
from trainroute.records.frames import encoded, json_string, json_text, nested
from trainroute.records.plan import Record
from trainroute.records.routing import EXPLAINING, PAIR_SCHEMA, SampleEvidence, SymbolScores

NESTED: dict[str, type[Record]] = {"scores": SymbolScores, "evidence": SampleEvidence}
POOLED = "cross_sectional"

_PREFIX = "trainroute."
_JSON_DIGEST = "json_sha256"
_SEAL = b"sealed by sha256 "
_DIGITS = 2 * hashlib.sha256().digest_size
_PAIRS = {name: dtype for name, dtype in PAIR_SCHEMA.items() if name not in EXPLAINING}


@dataclass(frozen=True)
class RoutingColumns:
    """What lies beside a routing plan's JSON and is the same as it.

    Attributes
    ----------
    parts : dict of str to bytes
        The JSON of the plan's ``metadata`` and ``config``, and of the decisions on pooled sides by target
        (``cross_sectional``).
    data : bytes
        The Parquet file.
    """

    parts: dict[str, bytes]
    data: bytes

    def pairs(self) -> pl.DataFrame:
        """Return the pairs as in a `RoutingPlan` that was read without explanations."""
        flat = pl.read_parquet(BytesIO(self.data))
        structs = [nested(record, name) for name, record in NESTED.items()]
        return flat.with_columns(structs).select(pl.col(name).cast(dtype) for name, dtype in _PAIRS.items())


def write_columns(
    path: Path, pooled: pl.DataFrame, pairs: pl.DataFrame, *, origin: Mapping[str, bytes], json_sha256: str
) -> None:
    """Write the columns of a routing plan.

    Parameters
    ----------
    path : Path
    pooled, pairs : polars.DataFrame
        As in a `RoutingPlan`.
    origin : mapping of str to bytes
        The JSON of its ``metadata`` and ``config``.
    json_sha256 : str
        The SHA-256 of the file that they stand beside.
    """
    line = pl.concat_str(json_string("target"), pl.lit(":"), json_text(set(pooled.columns) - {"target"}))
    said = {name: text.decode() for name, text in origin.items()}
    said[POOLED] = "{" + b",".join(encoded(pooled, line, between=",")).decode() + "}"
    said[_JSON_DIGEST] = json_sha256
    file = BytesIO()
    flat = pairs.drop(*EXPLAINING, strict=False).unnest(*NESTED)
    seal = _SEAL.decode() + "0" * _DIGITS
    flat.write_parquet(
        file, compression="lz4", metadata={f"{_PREFIX}{name}": text for name, text in {**said, "seal": seal}.items()}
    )
    data = bytearray(file.getbuffer())
    at = _seal_of(data)
    data[at : at + _DIGITS] = _digest_without(data, at)
    path.write_bytes(data)


def open_columns(path: Path, beside: Path) -> RoutingColumns | None:
    """Return the columns of a plan whose JSON is ``beside``; None where they are not, or not those of that file."""
    try:
        with ahead(lambda: _digest(beside)) as json_sha256:
            data = path.read_bytes()
            at = _seal_of(data)
            if data[at : at + _DIGITS] != _digest_without(data, at):
                LOGGER.debug("%s: not as it was written, so it is not used", path)
                return None
            said = pl.read_parquet_metadata(BytesIO(data))
        if said[f"{_PREFIX}{_JSON_DIGEST}"] != json_sha256():
            LOGGER.debug("%s: not written beside this %s, so it is not used", path, beside.name)
            return None
    except (OSError, PolarsError, KeyError) as error:
        LOGGER.debug("%s: cannot be used (%s)", path, error)
        return None
    parts = {name.removeprefix(_PREFIX): text.encode() for name, text in said.items()}
    return RoutingColumns(parts=parts, data=data)


def _seal_of(data: bytes | bytearray) -> int:
    """Return where the digits of the seal begin, which is behind all rows."""
    return data.rfind(_SEAL) + len(_SEAL)


def _digest_without(data: bytes | bytearray, at: int) -> bytes:
    with memoryview(data) as view:
        digest = hashlib.sha256(view[:at])
        digest.update(b"0" * _DIGITS)
        digest.update(view[at + _DIGITS :])
    return digest.hexdigest().encode()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
