"""Panel to scores: target ranking, feature selection, leak checks, stability, pooled and local skill, candidates."""

from importlib import import_module
from typing import TYPE_CHECKING

from trainroute.evaluate.evidence import Evidence, LeakFinding, TargetRank
from trainroute.evaluate.store import cached_evidence, evidence_key, read_feature_sets, write_evidence

if TYPE_CHECKING:
    from trainroute.evaluate.engine import evaluate_panel, safe_features

__all__ = [
    "Evidence",
    "LeakFinding",
    "TargetRank",
    "cached_evidence",
    "evaluate_panel",
    "evidence_key",
    "read_feature_sets",
    "safe_features",
    "write_evidence",
]


def __getattr__(name: str) -> object:
    """Import the engine, and the statistics behind it, when something is measured; routing a table needs neither."""
    if name not in {"evaluate_panel", "safe_features"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("trainroute.evaluate.engine"), name)
