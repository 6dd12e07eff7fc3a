"""Evidence on disk: the METRICS files for people and later stages, and the cache that a second run is served from.

A cache entry is ``METRICS/cache/<key>/``; its key covers the data, every setting that evidence depends on, and the code
that measures, the user's recipes included; it holds while the same snapshots of earlier runs are eligible. An entry is
renamed into place when it is whole; one that is not what was written is measured again.
"""

import hashlib
import io
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from trainroute import __version__
from trainroute.config import Config
from trainroute.errors import BrokenPlanError, PlanError
from trainroute.evaluate.evidence import (
    EVIDENCE_SCHEMA_VERSION,
    Evidence,
    FeatureImportance,
    LeakFinding,
    SnapshotBasis,
    TargetRank,
)
from trainroute.evaluate.leakage.recipes import recipe_sources
from trainroute.evaluate.snapshots import eligible_files, write_latest
from trainroute.records.artifacts import content_id, read_json_artifact, write_json_artifact
from trainroute.records.candidates import COLUMNS, Candidates
from trainroute.records.candidates_io import TableFormat, write_candidates
from trainroute.records.plan import FeatureSet, Record

_TABLES = ("candidates.parquet", "snapshots.parquet")
_MEASURING_PACKAGES = ("trainroute.panel", "trainroute.metrics", "trainroute.evaluate")


class _Summary(Record, frozen=True, kw_only=True):
    """The part of the evidence that is not a table, and the SHA-256 of the tables."""

    schema_version: int
    feature_sets: dict[str, FeatureSet]
    ranking: tuple[TargetRank, ...]
    importances: dict[str, tuple[FeatureImportance, ...]]
    leakage: tuple[LeakFinding, ...]
    earlier_snapshots: tuple[str, ...]
    basis: SnapshotBasis
    tables: dict[str, str]


def evidence_key(
    fingerprint: str,
    config: Config,
    *,
    symbols: Sequence[str] | None,
    targets: Sequence[str] | None,
    features: Sequence[str] | None,
    top_n_targets: int | None,
    top_m_features: int | None,
) -> str:
    """Return the cache key of one measurement.

    Raises
    ------
    ConfigError
        If a function of ``leakage.recipes`` cannot be loaded.
    """
    asked = {
        "symbols": None if symbols is None else sorted(symbols),
        "targets": None if targets is None else sorted(targets),
        "features": None if features is None else sorted(features),
        "top_n_targets": top_n_targets,
        "top_m_features": top_m_features,
    }
    code = [__version__, _code_digest(), recipe_sources(config.leakage.recipes)]
    return content_id([fingerprint, config.evidence_hash, asked, code, EVIDENCE_SCHEMA_VERSION], length=32)


def cached_evidence(output_dir: Path, key: str) -> Evidence | None:
    """Return the evidence stored under a key; None where there is none that can be read and still holds."""
    folder = _cache(output_dir, key)
    if not folder.is_dir():
        return None
    try:
        summary = msgspec.convert(read_json_artifact(folder / "summary.json"), _Summary, strict=True)
        tables = {name: (folder / name).read_bytes() for name in _TABLES}
        if {name: hashlib.sha256(data).hexdigest() for name, data in tables.items()} != summary.tables:
            raise BrokenPlanError(f"{folder}: its tables are not those that were written")
        table, snapshots = (pl.read_parquet(io.BytesIO(tables[name])) for name in _TABLES)
        candidates = Candidates(frame=table, provided=frozenset(COLUMNS))
    except (PlanError, OSError, pl.exceptions.PolarsError, msgspec.ValidationError):
        shutil.rmtree(folder)
        return None
    basis = summary.basis
    if eligible_files(output_dir, basis.fingerprint, basis.data_end, basis.shortest_horizon) != basis.eligible:
        return None
    return Evidence(
        candidates=candidates,
        feature_sets=summary.feature_sets,
        ranking=summary.ranking,
        importances=summary.importances,
        leakage=summary.leakage,
        snapshots=snapshots,
        earlier_snapshots=summary.earlier_snapshots,
        basis=basis,
        from_cache=True,
    )


def write_evidence(evidence: Evidence, output_dir: Path, key: str, *, table_format: TableFormat = "PARQUET") -> None:
    """Write the METRICS files, this run's snapshots, and the cache entry."""
    metrics = output_dir / "METRICS"
    write_candidates(evidence.candidates, metrics, table_format=table_format)
    ranking = {"schema_version": EVIDENCE_SCHEMA_VERSION, "targets": _ranking(evidence)}
    write_json_artifact(metrics / "target_ranking.json", ranking)
    leakage = {
        "schema_version": EVIDENCE_SCHEMA_VERSION,
        "findings": evidence.leakage,
        "feature_sets": evidence.feature_sets,
    }
    write_json_artifact(metrics / "leakage.json", leakage)
    write_latest(evidence.snapshots, output_dir, evidence.basis.fingerprint)
    if not evidence.from_cache:
        _write_cache(evidence, _cache(output_dir, key))


def _ranking(evidence: Evidence) -> list[Mapping[str, Any]]:
    return [
        {**msgspec.to_builtins(place), "features": evidence.importances[place.target]} for place in evidence.ranking
    ]


def _write_cache(evidence: Evidence, folder: Path) -> None:
    beside = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    hashes = {}
    for name, frame in zip(_TABLES, (evidence.candidates.frame, evidence.snapshots), strict=True):
        frame.write_parquet(beside / name)
        hashes[name] = hashlib.sha256((beside / name).read_bytes()).hexdigest()
    summary = _Summary(
        schema_version=EVIDENCE_SCHEMA_VERSION,
        feature_sets=evidence.feature_sets,
        ranking=evidence.ranking,
        importances=evidence.importances,
        leakage=evidence.leakage,
        earlier_snapshots=evidence.earlier_snapshots,
        basis=evidence.basis,
        tables=hashes,
    )
    write_json_artifact(beside / "summary.json", msgspec.to_builtins(summary))
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)


def _cache(output_dir: Path, key: str) -> Path:
    return output_dir / "METRICS" / "cache" / key


@cache
def _code_digest() -> str:
    digest = hashlib.sha256()
    for package in _MEASURING_PACKAGES:
        root = Path(str(files(package)))
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
