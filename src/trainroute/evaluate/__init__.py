"""Panel to scores: target ranking, feature selection, leak checks, stability, pooled and local skill, candidates.

The engine, and the statistics behind it, are imported when something is measured; routing a table needs neither.
"""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

if TYPE_CHECKING:
    from trainroute.evaluate.engine import evaluate_panel, safe_features
    from trainroute.evaluate.evidence import Evidence, LeakFinding, TargetRank
    from trainroute.evaluate.feature_sets import read_feature_sets
    from trainroute.evaluate.store import cached_evidence, evidence_key, write_evidence

_HOMES = {
    "Evidence": "trainroute.evaluate.evidence",
    "LeakFinding": "trainroute.evaluate.evidence",
    "TargetRank": "trainroute.evaluate.evidence",
    "cached_evidence": "trainroute.evaluate.store",
    "evaluate_panel": "trainroute.evaluate.engine",
    "evidence_key": "trainroute.evaluate.store",
    "read_feature_sets": "trainroute.evaluate.feature_sets",
    "safe_features": "trainroute.evaluate.engine",
    "write_evidence": "trainroute.evaluate.store",
}

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

__getattr__ = imported_when_asked(__name__, _HOMES)
