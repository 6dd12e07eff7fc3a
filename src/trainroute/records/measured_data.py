"""``METRICS/measured_data.json``: which data the routing candidates beside it were measured on.

A plan made later from these candidates, of all of them or of a part, then notices too when the data change.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from trainroute.errors import PlanError
from trainroute.records.artifacts import read_json_artifact, write_json_artifact
from trainroute.records.plan import Record

MEASURED_DATA_NAME = "measured_data.json"
MEASURED_DATA_SCHEMA_VERSION = 1


class MeasuredData(Record, frozen=True, kw_only=True):
    """``data_fingerprint`` covers the files of ``symbols``; it is of the candidates with this ``metrics_snapshot``."""

    schema_version: int
    metrics_snapshot: str
    data_fingerprint: str
    symbols: tuple[str, ...]


def write_measured_data(
    directory: Path, *, metrics_snapshot: str, data_fingerprint: str, symbols: Sequence[str]
) -> MeasuredData:
    """Write what the candidates in ``directory`` (``METRICS``) were measured on."""
    found = MeasuredData(
        schema_version=MEASURED_DATA_SCHEMA_VERSION,
        metrics_snapshot=metrics_snapshot,
        data_fingerprint=data_fingerprint,
        symbols=tuple(symbols),
    )
    write_json_artifact(directory / MEASURED_DATA_NAME, msgspec.structs.asdict(found))
    return found


def read_measured_data(directory: Path, metrics_snapshot: str) -> MeasuredData | None:
    """Return what the candidates with this snapshot were measured on; None where nothing trustworthy says so."""
    try:
        found = msgspec.convert(read_json_artifact(directory / MEASURED_DATA_NAME), MeasuredData)
    except (PlanError, msgspec.ValidationError):
        return None
    same = (found.schema_version, found.metrics_snapshot) == (MEASURED_DATA_SCHEMA_VERSION, metrics_snapshot)
    return found if same else None
