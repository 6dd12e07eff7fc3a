"""Panel to scores: target ranking, feature selection, leak checks, stability, pooled and local skill, candidates."""

from trainroute.evaluate.engine import evaluate_panel, safe_features
from trainroute.evaluate.evidence import Evidence, LeakFinding, TargetRank
from trainroute.evaluate.store import cached_evidence, evidence_key, read_feature_sets, write_evidence

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
