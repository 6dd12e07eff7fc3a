"""The decisions of a routing plan as columns: a Parquet file beside the JSON, for tables and for a fast reader.

One row per (target, symbol), with scores and evidence as plain columns and without what only explains (reasons and
margins). It is read in place of the JSON, which takes some twenty times as long to decode, where `columns_beside` finds
it to be what was written together with that JSON. Else there is nothing to read, and who asked decodes the JSON.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from trainroute.logs import LOGGER
from trainroute.records.frames import encoded, json_string, json_text, nested
from trainroute.records.plan import Record
from trainroute.records.regular_files import open_regular
from trainroute.records.routing import EXPLAINING, PAIR_SCHEMA, SampleEvidence, SymbolScores
from trainroute.records.routing_file import columns_beside
from trainroute.records.sealing import seal, unsealed

NESTED: dict[str, type[Record]] = {"scores": SymbolScores, "evidence": SampleEvidence}
POOLED = "cross_sectional"

_PREFIX = "trainroute."
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
    own = "{" + b",".join(encoded(pooled, line, between=",")).decode() + "}"
    said = {name: text.decode() for name, text in origin.items()}
    said |= {POOLED: own, "seal": unsealed(json_sha256)}
    file = BytesIO()
    pairs.drop(*EXPLAINING, strict=False).unnest(*NESTED).write_parquet(
        file, compression="lz4", metadata={f"{_PREFIX}{name}": text for name, text in said.items()}
    )
    data = bytearray(file.getbuffer())
    seal(data, json_sha256)
    path.write_bytes(data)


def open_columns(path: Path) -> RoutingColumns | None:
    """Return the columns of a plan given by its JSON; None where they are not those of this file."""
    try:
        with open_regular(path) as file:
            json_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        data = columns_beside(path, json_sha256)
        said = {} if data is None else pl.read_parquet_metadata(BytesIO(data))
    except (OSError, PolarsError) as error:
        LOGGER.debug("%s: its columns cannot be used (%s)", path, error)
        return None
    parts = {name.removeprefix(_PREFIX): text.encode() for name, text in said.items()}
    return None if data is None else RoutingColumns(parts=parts, data=data)
