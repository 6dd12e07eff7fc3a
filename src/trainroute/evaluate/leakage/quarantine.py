"""From findings to the features that a target's models may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.config import Config
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import MAX_SYMBOLS
from trainroute.panel import Panel
from trainroute.records.vocabulary import LeakageStatus


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """Which features each target may use.

    Attributes
    ----------
    allowed, blocked, suspected : ndarray of shape (n_targets, n_features), bool
        ``blocked``: a check found proof. ``suspected``: a check found a reason, and nobody vouched for the feature.
    accepted : tuple of str
        SUSPECT features that the config vouches for.
    suspected_in : mapping of (target, feature) to frozenset of str
        The symbols in which the evidence of suspicion lies, by position of target and feature.
    """

    allowed: NDArray[np.bool_]
    blocked: NDArray[np.bool_]
    suspected: NDArray[np.bool_]
    accepted: tuple[str, ...]
    suspected_in: Mapping[tuple[int, int], frozenset[str]]

    def suspects(self, target: int, features: Sequence[int]) -> frozenset[str]:
        """Return the symbols for which any of a target's features is suspected."""
        return frozenset().union(*(self.suspected_in.get((target, feature), ()) for feature in features))

    def excluded(self, target: int, features: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the features kept away from a target."""
        return tuple(name for name, ok in zip(features, self.allowed[target], strict=True) if not ok)


def quarantine(panel: Panel, findings: Sequence[LeakFinding], config: Config) -> Quarantine:
    """Exclude what the findings speak against.

    With ``routing.require_safe_features_only`` every status outside ``allowed_feature_leakage_status`` is excluded;
    without it only BLOCKED. A SUSPECT feature named in ``leakage.accept`` stays; a BLOCKED one never does.
    """
    tolerated = {LeakageStatus.SAFE, *map(LeakageStatus, config.routing.allowed_feature_leakage_status)}
    if not config.routing.require_safe_features_only:
        tolerated |= {LeakageStatus.SUSPECT, LeakageStatus.UNKNOWN}
    tolerated -= {LeakageStatus.BLOCKED}
    shape = len(panel.targets), len(panel.features)
    blocked, suspected, excluded = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    column = {name: i for i, name in enumerate(panel.features)}
    row = {target.name: i for i, target in enumerate(panel.targets)}
    accepted: set[str] = set()
    suspected_in: dict[tuple[int, int], frozenset[str]] = {}
    for finding in findings:
        if finding.status is LeakageStatus.SUSPECT and finding.feature in config.leakage.accept:
            accepted.add(finding.feature)
            continue
        feature = column[finding.feature]
        for target in row.values() if finding.target is None else (row[finding.target],):
            blocked[target, feature] |= finding.status is LeakageStatus.BLOCKED
            suspected[target, feature] |= finding.status is LeakageStatus.SUSPECT
            excluded[target, feature] |= finding.status not in tolerated
            if finding.status is LeakageStatus.SUSPECT:
                confined = _confined(panel, finding)
                suspected_in[target, feature] = suspected_in.get((target, feature), frozenset()) | confined
    return Quarantine(
        allowed=~excluded,
        blocked=blocked,
        suspected=suspected,
        accepted=tuple(sorted(accepted)),
        suspected_in=suspected_in,
    )


def _confined(panel: Panel, finding: LeakFinding) -> frozenset[str]:
    """Return the symbols that a finding is about; those that were not sampled count as found."""
    confined = finding.symbols and len(panel.rows) <= MAX_SYMBOLS
    return frozenset(finding.symbols if confined else panel.symbols)
