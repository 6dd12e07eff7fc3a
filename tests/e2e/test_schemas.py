"""The committed JSON Schemas are those of the records, and every file of a real run fits its own."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trainroute.records.candidates_io import validate_candidates, write_candidates
from trainroute.schemas import ARTIFACTS, schema_of

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
FILES = {
    "leakage": "METRICS/leakage.json",
    "measured_data": "METRICS/measured_data.json",
    "model_manifest": "models/*/*/manifest.json",
    "prediction_evaluation": "predictions/*.evaluation.json",
    "routing_candidates": "METRICS/routing_candidates.json",
    "routing_plan": "METRICS/routing_plan/routing_plan.json",
    "target_ranking": "METRICS/target_ranking.json",
    "training_plan": "globals/training_plan/*training_plan.json",
    "training_plan_view": "globals/training_plan/by_*/*.json",
    "training_report": "globals/training_report.json",
}
KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KNOWN = {
    *("$schema", "$ref", "$defs", "title", "description", "default", "type", "enum", "anyOf", "properties", "required"),
    *("additionalProperties", "items", "propertyNames"),
}


def _faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """Return where a value does not fit; of JSON Schema what our schemas use, anything else is an error."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        return _faults(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, at)
    if "anyOf" in schema:
        tried = [_faults(value, option, root, at) for option in schema["anyOf"]]
        return [] if any(not faults for faults in tried) else [f"{at}: fits no option"]
    if not _is_kind(value, schema) or value not in schema.get("enum", [value]):
        return [f"{at}: {value!r} is not what {schema} asks for"]
    if isinstance(value, dict):
        return _object_faults(value, schema, root, at)
    items = schema.get("items", {}) if isinstance(value, list) else {}
    return (
        [fault for n, item in enumerate(value) for fault in _faults(item, items, root, f"{at}[{n}]")] if items else []
    )


def _is_kind(value: Any, schema: dict[str, Any]) -> bool:
    wanted = schema.get("type", list(KINDS))
    names = wanted if isinstance(wanted, list) else [wanted]
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, KINDS[name]) for name in names)


def _object_faults(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    own, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    faults = [f"{at}: lacks {name}" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name not in own and rest is False:
            faults.append(f"{at}: has unknown {name}")
        else:
            faults += _faults(item, own.get(name, rest if isinstance(rest, dict) else {}), root, f"{at}.{name}")
    return faults


@pytest.mark.parametrize("name", ARTIFACTS)
def test_the_committed_schema_is_that_of_the_records(name: str) -> None:
    committed = json.loads((SCHEMAS / f"{name}.json").read_text())
    assert committed == json.loads(json.dumps(schema_of(name))), "run: python -m trainroute.schemas docs/schemas"


def test_every_artifact_has_a_schema_and_a_place_in_the_docs() -> None:
    assert set(FILES) == set(ARTIFACTS) == {path.stem for path in SCHEMAS.glob("*.json")}
    page = (SCHEMAS.parent / "files.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(schemas/(\w+)\.json\)", page)) == set(ARTIFACTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARTIFACTS)
def test_every_file_of_a_run_fits_its_schema(name: str, finished) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    paths = sorted(finished[0].results.glob(FILES[name]))
    assert paths
    for path in paths:
        document = json.loads(path.read_text())
        assert _faults(document, schema, schema) == [], path
        assert _faults({**document, "extra": 1}, schema, schema) == ["$: has unknown extra"]
        del document["content_sha256"]
        assert _faults(document, schema, schema) == ["$: lacks content_sha256"]


def test_a_table_of_the_least_columns_fits_its_schema(tmp_path: Path) -> None:
    rows = {"target": ["y", "y"], "symbol": [None, "A"], "score": [0.6, None], "sample_size": [9000, 3000]}
    write_candidates(validate_candidates(pl.DataFrame(rows), "t"), tmp_path)
    schema = schema_of("routing_candidates")
    assert _faults(json.loads((tmp_path / "routing_candidates.json").read_text()), schema, schema) == []
