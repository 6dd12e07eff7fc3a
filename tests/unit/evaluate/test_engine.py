"""The whole measurement on planted panels: what is there is found, what is not is not, and nothing depends on order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted import Recipe, planted_panel

from trainroute.config import Config, parse_config
from trainroute.errors import EvidenceError
from trainroute.evaluate import Evidence, cached_evidence, evaluate_panel, evidence_key, write_evidence
from trainroute.panel import Panel
from trainroute.records.candidates import COLUMNS
from trainroute.records.candidates_io import read_candidates

RECIPE = Recipe(n_symbols=12, n_rows=1500, n_features=10, horizon=5, strength=0.5, seed=2)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return planted_panel(RECIPE)[0]


def measure(panel: Panel, output: Path, config: Config | None = None, top_n: int | None = None) -> Evidence:
    return evaluate_panel(
        panel,
        config or Config(),
        data_dir=output,
        output_dir=output,
        top_n_targets=top_n,
        top_m_features=None,
        timestamp="2026-01-01T00:00:00Z",
        git_commit=None,
    )


@pytest.fixture(scope="module")
def evidence(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return measure(panel, tmp_path_factory.mktemp("out"))


def pooled_rows(evidence: Evidence) -> dict[str, dict[str, object]]:
    rows = evidence.candidates.frame.filter(pl.col("symbol").is_null()).to_dicts()
    return {str(row["target"]): row for row in rows}


def local_rows(evidence: Evidence, target: str) -> pl.DataFrame:
    return evidence.candidates.frame.filter((pl.col("target") == target) & pl.col("symbol").is_not_null())


def test_every_column_of_the_contract_is_there_and_every_pair_has_a_row(evidence: Evidence, panel: Panel) -> None:
    frame = evidence.candidates.frame
    assert frame.columns == list(COLUMNS)
    assert len(frame) == len(panel.targets) * (1 + len(panel.rows))
    always = ["target", "mode", "stability", "sample_size", "leakage_status", "feature_set_id", "task_type"]
    assert frame.select(pl.col(always).null_count()).sum_horizontal().item() == 0


def test_planted_skill_is_found_and_noise_is_not(evidence: Evidence) -> None:
    pooled = pooled_rows(evidence)
    assert pooled["y_pooled_5d"]["p_skill"] > 0.99  # type: ignore[operator]
    assert pooled["y_noise_5d"]["p_skill"] < 0.5  # type: ignore[operator]
    assert local_rows(evidence, "y_noise_5d")["p_skill"].max() < 0.95  # type: ignore[operator]
    assert local_rows(evidence, "y_local_5d")["p_local_better"].median() > 0.7  # type: ignore[operator]
    assert local_rows(evidence, "y_pooled_5d")["p_local_better"].median() < 0.3  # type: ignore[operator]


def test_the_pooled_model_serves_only_the_half_with_signal(evidence: Evidence) -> None:
    p = local_rows(evidence, "y_two_group_5d").sort("symbol")["p_cs_skill"].to_numpy()
    assert p[::2].min() > p[1::2].max()


def test_intervals_contain_the_score_and_probabilities_are_probabilities(evidence: Evidence) -> None:
    frame = evidence.candidates.frame.drop_nulls("score_ci_low")
    assert len(frame) > 0
    assert (frame["score_ci_low"] < frame["score"]).all()
    assert (frame["score"] < frame["score_ci_high"]).all()
    for column in ("p_skill", "p_cs_skill", "p_local_better"):
        assert frame[column].drop_nulls().is_between(0, 1).all()


def test_ranking_keeps_the_best_and_counts_all_that_were_considered(panel: Panel, tmp_path: Path) -> None:
    evidence = measure(panel, tmp_path, top_n=2)
    assert [p.rank for p in evidence.ranking] == [1, 2, 3, 4]
    assert evidence.ranking[0].target == "y_pooled_5d"
    assert evidence.ranking[-1].target == "y_noise_5d"
    assert [p.selected for p in evidence.ranking] == [True, True, False, False]
    assert set(evidence.candidates.frame["target"]) == {p.target for p in evidence.ranking[:2]}
    assert set(evidence.candidates.frame["n_targets_considered"]) == {4}


def test_nothing_depends_on_the_holdout(panel: Panel, evidence: Evidence, tmp_path: Path) -> None:
    holdout = panel.timestamps[-1] - int(0.1 * len(panel.timestamps)) * panel.bar_interval_us
    rng = np.random.default_rng(0)
    rows = []
    for r in panel.rows:
        in_holdout = (panel.timestamps[r.time_index] > holdout)[:, None]
        reaches = (r.label_end > holdout) | in_holdout
        rows.append(
            replace(
                r,
                features=np.where(in_holdout, rng.normal(size=r.features.shape), r.features).astype(np.float32),
                targets=np.where(reaches, rng.integers(0, 2, r.targets.shape), r.targets).astype(np.float32),
            )
        )
    assert measure(replace(panel, rows=tuple(rows)), tmp_path).candidates.snapshot == evidence.candidates.snapshot


def test_a_leak_is_quarantined_and_the_target_scored_without_it(panel: Panel, tmp_path: Path) -> None:
    rows = tuple(
        replace(r, features=np.c_[r.features[:, :-1], np.roll(r.targets[:, 3], 0)].astype(np.float32))
        for r in panel.rows
    )
    evidence = measure(replace(panel, rows=rows), tmp_path)
    assert [f.feature for f in evidence.leakage if f.check == "copies"] == ["f009"]
    noise = pooled_rows(evidence)["y_noise_5d"]
    assert noise["leakage_status"] == "SAFE"
    assert abs(noise["score"] - 0.5) < 0.05  # type: ignore[operator]
    place = next(p for p in evidence.ranking if p.target == "y_noise_5d")
    assert place.score_with_quarantined is not None
    assert place.score_with_quarantined > 0.9
    features = evidence.feature_sets[str(noise["feature_set_id"])]
    assert features.quarantined == ("f009",)
    assert "f009" not in features.features


def test_a_target_without_any_safe_feature_is_blocked(panel: Panel, tmp_path: Path) -> None:
    config = parse_config(
        f"leakage: {{registry: {{{', '.join(f'{f}: BLOCKED' for f in panel.features[:-1])}}}}}", "test"
    )
    rows = tuple(replace(r, features=np.c_[r.features[:, :-1], r.targets[:, 0]].astype(np.float32)) for r in panel.rows)
    with pytest.raises(EvidenceError, match=r"no target in .* can be measured"):
        measure(replace(panel, rows=rows), tmp_path, config)


def test_a_constant_within_test_target_is_measured_as_nothing(panel: Panel, tmp_path: Path) -> None:
    rows = []
    for r in panel.rows:
        targets = r.targets.copy()
        targets[300:, 3] = 0.0
        targets[::7, 3] = np.nan
        rows.append(replace(r, targets=targets))
    evidence = measure(replace(panel, rows=tuple(rows)), tmp_path)
    noise = pooled_rows(evidence)["y_noise_5d"]
    assert noise["score"] is None
    assert noise["p_skill"] is None
    assert local_rows(evidence, "y_noise_5d")["p_cs_skill"].null_count() == len(panel.rows)


def test_the_cache_gives_back_the_same_evidence_and_its_key_covers_what_matters(
    evidence: Evidence, tmp_path: Path
) -> None:
    asked = {"symbols": None, "targets": None, "features": None, "top_n_targets": 2, "top_m_features": None}
    key = evidence_key("data", Config(), output_dir=tmp_path, **asked)
    assert cached_evidence(tmp_path, key) is None
    write_evidence(evidence, tmp_path, key, fingerprint="data")
    again = cached_evidence(tmp_path, key)
    assert again is not None
    assert again.from_cache
    assert again.candidates.frame.equals(evidence.candidates.frame)
    assert again.candidates.snapshot == evidence.candidates.snapshot
    assert (again.ranking, again.feature_sets, again.leakage) == (
        evidence.ranking,
        evidence.feature_sets,
        evidence.leakage,
    )
    assert evidence_key("data", Config(), output_dir=tmp_path, **asked) == key
    others = [
        evidence_key("other", Config(), output_dir=tmp_path, **asked),
        evidence_key("data", parse_config("holdout: {fraction: 0.2}", ""), output_dir=tmp_path, **asked),
        evidence_key("data", Config(), output_dir=tmp_path, **{**asked, "top_n_targets": 3}),
        evidence_key("data", Config(), output_dir=tmp_path, **{**asked, "symbols": ["A"]}),
    ]
    assert len({key, *others}) == 5
    written = read_candidates(tmp_path / "METRICS" / "routing_candidates.parquet")
    assert written.snapshot == evidence.candidates.snapshot


def test_a_damaged_cache_entry_is_measured_again(evidence: Evidence, tmp_path: Path) -> None:
    write_evidence(evidence, tmp_path, "k", fingerprint="data")
    summary = tmp_path / "METRICS" / "cache" / "k" / "summary.json"
    summary.write_bytes(summary.read_bytes()[:-100])
    assert cached_evidence(tmp_path, "k") is None


def test_snapshots_of_an_earlier_run_count_once_the_data_go_on(panel: Panel, tmp_path: Path) -> None:
    def until(n: int) -> Panel:
        rows = tuple(
            replace(
                r,
                time_index=r.time_index[:n],
                features=r.features[:n],
                targets=r.targets[:n],
                label_end=r.label_end[:n],
            )
            for r in panel.rows
        )
        return replace(panel, rows=rows, timestamps=panel.timestamps[:n], fingerprint=f"until{n}")

    first = measure(until(1200), tmp_path)
    write_evidence(first, tmp_path, "first", fingerprint="until1200")
    assert measure(until(1200), tmp_path).earlier_snapshots == ()
    assert measure(until(1203), tmp_path).earlier_snapshots == ()
    later = measure(until(1500), tmp_path)
    assert later.earlier_snapshots == ("until1200.parquet",)
    n_first = pooled_rows(first)["y_pooled_5d"]["n_snapshots"]
    assert pooled_rows(later)["y_pooled_5d"]["n_snapshots"] == n_first + 1  # type: ignore[operator]


def test_no_feature_or_no_target_is_an_error(panel: Panel, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no feature is left"):
        measure(replace(panel, features=()), tmp_path)
    with pytest.raises(EvidenceError, match="no target is left"):
        measure(replace(panel, targets=()), tmp_path)
