"""JSON Schema of every JSON artifact, generated from the records that write and read it.

Regenerate the committed ones with ``python -m trainroute.schemas docs/schemas``.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from trainroute.evaluate.evidence import FeatureImportance, LeakFinding, TargetRank
from trainroute.records.candidates import COLUMNS, REQUIRED_COLUMNS
from trainroute.records.measured_data import MeasuredData
from trainroute.records.plan import FeatureSet, Record, TrainingJob, TrainingPlan
from trainroute.records.predictions import PredictionEvaluation
from trainroute.records.results import ModelManifest, TrainingReport
from trainroute.records.routing import CrossSectionalDecision, PolicyConfig, RoutingMetadata, SymbolDecision

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ROW_TYPES = {pl.String(): "string", pl.Float64(): "number", pl.Int64(): "integer", pl.List(pl.String()): "array"}


class TrainingPlanFile(TrainingPlan, frozen=True, kw_only=True):
    """``master_training_plan.json`` and its mirror ``training_plan.json``."""

    content_sha256: str


class TrainingPlanView(Record, frozen=True, kw_only=True):
    """A file of ``by_target/``, ``by_symbol/``, ``by_type/`` or ``by_route/``; ``metadata`` says of what."""

    metadata: dict[str, int | str | list[str]]
    jobs: tuple[TrainingJob, ...]
    content_sha256: str


class TargetDecisions(Record, frozen=True, kw_only=True):
    """What was decided for one target: its pooled side, and each of its symbols."""

    cross_sectional: CrossSectionalDecision
    symbols: dict[str, SymbolDecision]


class RoutingPlanFile(Record, frozen=True, kw_only=True):
    """``routing_plan.json``."""

    metadata: RoutingMetadata
    config: PolicyConfig
    targets: dict[str, TargetDecisions]
    content_sha256: str


class RoutingCandidatesFile(Record, frozen=True, kw_only=True):
    """``routing_candidates.json``: one object per row of the table."""

    metadata: dict[str, Any]
    candidates: tuple[dict[str, str | int | float | list[str] | None], ...]
    content_sha256: str


class RankedTarget(TargetRank, frozen=True, kw_only=True):
    """One target of the ranking, with the features that were selected for it."""

    features: tuple[FeatureImportance, ...]


class TargetRankingFile(Record, frozen=True, kw_only=True):
    """``target_ranking.json``, best target first."""

    schema_version: int
    targets: tuple[RankedTarget, ...]
    content_sha256: str


class LeakageFile(Record, frozen=True, kw_only=True):
    """``leakage.json``: what the leak checks found, and the feature sets that follow."""

    schema_version: int
    findings: tuple[LeakFinding, ...]
    feature_sets: dict[str, FeatureSet]
    content_sha256: str


class MeasuredDataFile(MeasuredData, frozen=True, kw_only=True):
    """``measured_data.json``."""

    content_sha256: str


class TrainingReportFile(TrainingReport, frozen=True, kw_only=True):
    """``training_report.json``."""

    content_sha256: str


class ModelManifestFile(ModelManifest, frozen=True, kw_only=True):
    """``manifest.json`` of a model."""

    content_sha256: str


class PredictionEvaluationFile(PredictionEvaluation, frozen=True, kw_only=True):
    """``<predictions>.evaluation.json``."""

    content_sha256: str


ARTIFACTS: dict[str, type[Record]] = {
    "leakage": LeakageFile,
    "measured_data": MeasuredDataFile,
    "model_manifest": ModelManifestFile,
    "prediction_evaluation": PredictionEvaluationFile,
    "routing_candidates": RoutingCandidatesFile,
    "routing_plan": RoutingPlanFile,
    "target_ranking": TargetRankingFile,
    "training_plan": TrainingPlanFile,
    "training_plan_view": TrainingPlanView,
    "training_report": TrainingReportFile,
}


def _anything(kind: type) -> dict[str, Any]:
    """Return the schema of a value of any type: the settings, which the config file documents."""
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "As in the config file."}


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an artifact of `ARTIFACTS`."""
    schema = msgspec.json.schema(ARTIFACTS[name], schema_hook=_anything)
    if name == "routing_candidates":
        rows = schema["$defs"]["RoutingCandidatesFile"]["properties"]["candidates"]
        rows["items"] = {
            "type": "object",
            "properties": {name: {"type": [_ROW_TYPES[dtype], "null"]} for name, dtype in COLUMNS.items()},
            "required": [*REQUIRED_COLUMNS, "mode"],
            "additionalProperties": False,
        }
    return {"$schema": _DIALECT, **schema}


def write_schemas(directory: Path) -> list[Path]:
    """Write ``<artifact>.json`` for every artifact into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in ARTIFACTS:
        path = directory / f"{name}.json"
        text = msgspec.json.format(msgspec.json.encode(schema_of(name), order="sorted"), indent=2)
        path.write_bytes(text + b"\n")
        paths.append(path)
    return paths


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
