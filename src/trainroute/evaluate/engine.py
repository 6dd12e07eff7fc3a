"""Measure a panel, in this order.

1. The timeline is cut into blocks and a final holdout (`WalkForward`).
2. One pass builds the sums of each group of targets (`statistics.accumulate`).
3. The leak checks run; what they find is quarantined per target (`leakage`).
4. Per group: out-of-sample predictions of pooled and local probes (`probes`), scores with errors, stability (`group`).
5. Scores are shrunk over symbols, pooled scores over all targets considered (`posterior`).
6. Targets are ranked by posterior predictability; the best keep their rows in the candidates table (`candidates`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from trainroute.config import Config
from trainroute.errors import EvidenceError, bounded
from trainroute.evaluate.candidates import candidates_table, leakage_statuses, target_rows
from trainroute.evaluate.design import feature_scale, label_columns
from trainroute.evaluate.evidence import Evidence, FeatureImportance, LeakFinding
from trainroute.evaluate.group import TargetEvidence, evaluate_group
from trainroute.evaluate.inputs import GroupInput
from trainroute.evaluate.leakage import LEAK_CHECKS, LeakContext, Quarantine, quarantine
from trainroute.evaluate.posterior import TargetPosteriors, grown, pooled_posterior, target_posteriors
from trainroute.evaluate.ranking import rank
from trainroute.evaluate.selection import strength
from trainroute.evaluate.snapshots import latest_frame, read_earlier
from trainroute.evaluate.statistics import accumulate, target_groups
from trainroute.evaluate.trees import TreeBins
from trainroute.panel import Panel, walk_forward
from trainroute.parallel import in_threads
from trainroute.progress import Progress, SilentProgress
from trainroute.records.artifacts import content_id
from trainroute.records.plan import FeatureSet


def evaluate_panel(
    panel: Panel,
    config: Config,
    *,
    data_dir: Path,
    output_dir: Path,
    top_n_targets: int | None,
    top_m_features: int | None,
    timestamp: str,
    git_commit: str | None,
    progress: Progress | None = None,
) -> Evidence:
    """Measure every target of a panel, pooled and per symbol.

    Parameters
    ----------
    panel : Panel
    config : Config
    data_dir, output_dir : Path
        For what `prepare` recorded, and for snapshots of earlier runs. Nothing is written.
    top_n_targets, top_m_features : int or None
        How many targets to keep and how many features per target at most; None keeps all.

    Raises
    ------
    EvidenceError
        If there is nothing to measure: no feature, no target, or no row in a test fold.
    """
    if not panel.targets or not panel.features:
        what = "feature" if panel.targets else "target"
        raise EvidenceError(f"no {what} is left to measure in {data_dir}; see what was left out on reading")
    progress = progress or SilentProgress()
    with threadpool_limits(limits=1):
        return _Engine(panel, config, data_dir, output_dir, top_m_features, progress).run(
            top_n_targets, timestamp, git_commit
        )


def safe_features(
    panel: Panel, config: Config, *, data_dir: Path, progress: Progress | None = None
) -> dict[str, FeatureSet]:
    """Return for each target every feature that passes the leak checks; for plans that no evidence stands behind.

    Raises
    ------
    ConfigError
        If ``leakage.accept`` names a feature that the panel does not have.
    """
    with threadpool_limits(limits=1):
        return _Engine(panel, config, data_dir, data_dir, None, progress or SilentProgress()).safe_features()


class _Engine:
    def __init__(
        self,
        panel: Panel,
        config: Config,
        data_dir: Path,
        output_dir: Path,
        top_m_features: int | None,
        progress: Progress,
    ) -> None:
        self.panel = panel
        self.config = config
        self.data_dir = data_dir
        self.output_dir = output_dir
        self.top_m = top_m_features or len(panel.features)
        self.progress = progress
        self.split = walk_forward(panel, config)

    def run(self, top_n: int | None, timestamp: str, git_commit: str | None) -> Evidence:
        groups = self._groups()
        findings = self._findings(groups)
        kept_apart = quarantine(self.panel, findings, self.config)
        earlier = read_earlier(self.output_dir, self.panel)
        found: dict[str, TargetEvidence] = {}
        with self.progress.step("Measuring pooled and local skill", len(groups)) as step:
            for data in groups:
                for item in evaluate_group(data, kept_apart, self.top_m, self.config, earlier):
                    found[item.target.name] = item
                step.advance()
        ordered = [found[t.name] for t in self.panel.targets]
        if not any(item.scores.pooled_measured for item in ordered):
            raise EvidenceError(self._nothing_measured(ordered, findings))
        found_posteriors = in_threads(_posteriors, ordered)
        posteriors = {item.target.name: own for item, own in zip(ordered, found_posteriors, strict=True)}
        pooled = pooled_posterior([item.scores for item in ordered])
        feature_sets = {item.target.name: self._feature_set(i, item, kept_apart) for i, item in enumerate(ordered)}
        ranking = rank(ordered, posteriors, pooled, top_n)
        selected = {place.target for place in ranking if place.selected}
        ids = {target: content_id(features, length=16) for target, features in feature_sets.items()}
        rows = [
            row
            for i, item in enumerate(ordered)
            if item.target.name in selected
            for row in target_rows(
                self.panel,
                self.split,
                item,
                posteriors[item.target.name],
                float(grown(pooled.mean[i], posteriors[item.target.name].pooled_growth)),
                float(pooled.p_above[i]),
                leakage_statuses(
                    self.panel, item, kept_apart.suspects(i, item.features), self.config.leakage.suspect_score
                ),
                {
                    "feature_set_id": ids[item.target.name],
                    "n_targets_considered": len(ordered),
                    "timestamp": timestamp,
                    "git_commit": git_commit,
                },
            )
        ]
        latest = {key: snapshot for item in ordered for key, snapshot in item.latest.items()}
        return Evidence(
            candidates=candidates_table(rows),
            feature_sets={ids[name]: feature_sets[name] for name in sorted(selected)},
            ranking=ranking,
            importances={item.target.name: _importances(self.panel, item) for item in ordered},
            leakage=tuple(findings),
            snapshots=latest_frame(latest, self.panel.features, int(self.panel.timestamps[-1])),
            earlier_snapshots=earlier.sources,
            basis=earlier.basis,
        )

    def _nothing_measured(self, ordered: Sequence[TargetEvidence], findings: Sequence[LeakFinding]) -> str:
        leaks = bounded(f"{found.feature} ({found.check}: {found.detail})" for found in findings)
        causes = [
            f"{item.target.name}: no test fold has labels of different values that end before the holdout"
            if item.features
            else f"{item.target.name}: the leak checks leave no feature: {leaks}"
            for item in ordered
        ]
        return f"no target in {self.data_dir} can be measured; {bounded(causes)}; give longer history or other features"

    def safe_features(self) -> dict[str, FeatureSet]:
        names = self.panel.features
        kept_apart = quarantine(self.panel, self._findings(self._groups()), self.config)
        return {
            target.name: FeatureSet(
                features=tuple(name for name, ok in zip(names, kept_apart.allowed[i], strict=True) if ok),
                quarantined=kept_apart.excluded(i, names),
                accepted=kept_apart.accepted,
            )
            for i, target in enumerate(self.panel.targets)
        }

    def _groups(self) -> list[GroupInput]:
        before = int(self.split.boundaries[self.split.first_test])
        scale, columns = feature_scale(self.panel, before), label_columns(self.panel, before)
        found, bins = target_groups(self.panel), TreeBins(self.panel, before)
        inputs = []
        with self.progress.step("Reading sufficient statistics", len(found)) as step:
            for group in found:
                index = np.concatenate([columns.of(t) for t in group.targets])
                sums = accumulate(self.panel, group, self.split, scale, columns, index)
                inputs.append(
                    GroupInput(
                        panel=self.panel,
                        group=group,
                        split=self.split,
                        scale=scale,
                        columns=columns,
                        sums=sums,
                        bins=bins,
                    )
                )
                step.advance()
        return inputs

    def _findings(self, groups: Sequence[GroupInput]) -> list[LeakFinding]:
        merit = np.zeros((len(self.panel.targets), len(self.panel.features)))
        for data in groups:
            merit[list(data.group.targets)] = strength(data.all_training().pooled(), data.owner)
        context = LeakContext(
            panel=self.panel, split=self.split, config=self.config, data_dir=self.data_dir, strength=merit
        )
        findings: list[LeakFinding] = []
        checks = LEAK_CHECKS.members()
        with self.progress.step("Checking for leaks", len(checks)) as step:
            for check in checks:
                findings.extend(check().find(context))
                step.advance()
        return findings

    def _feature_set(self, position: int, found: TargetEvidence, kept_apart: Quarantine) -> FeatureSet:
        names = self.panel.features
        features = tuple(names[i] for i in found.features)
        return FeatureSet(
            features=features,
            quarantined=kept_apart.excluded(position, names),
            accepted=tuple(name for name in kept_apart.accepted if name in features),
        )


def _posteriors(item: TargetEvidence) -> TargetPosteriors:
    return target_posteriors(item.scores, item.learning, item.effective_features)


def _importances(panel: Panel, found: TargetEvidence) -> tuple[FeatureImportance, ...]:
    return tuple(
        FeatureImportance(feature=panel.features[i], strength=float(found.strength[i])) for i in found.features
    )
