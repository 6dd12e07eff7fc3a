"""The feature sets that a measurement left in an output directory."""

from pathlib import Path

import msgspec

from trainroute.errors import BrokenPlanError
from trainroute.records.artifacts import read_json_artifact
from trainroute.records.plan import FeatureSet


def read_feature_sets(output_dir: Path) -> dict[str, FeatureSet]:
    """Return the feature sets that a measurement left in an output directory, by id; empty where there is none.

    Raises
    ------
    BrokenPlanError
        If ``METRICS/leakage.json`` cannot be trusted.
    """
    path = output_dir / "METRICS" / "leakage.json"
    if not path.is_file():
        return {}
    try:
        return msgspec.convert(read_json_artifact(path).get("feature_sets"), dict[str, FeatureSet], strict=True)
    except msgspec.ValidationError as error:
        raise BrokenPlanError(f"{path}: feature_sets: {error}; run 'trainroute run' again") from None
