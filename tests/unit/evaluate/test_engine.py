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
    assert pooled["y_noise_5d"]["p_skill"] < 0.95  # type: ignore[operator]
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
        targets[len(r) // 10 :, 3] = 0.0
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
    key = evidence_key("data", Config(), **asked)
    assert cached_evidence(tmp_path, key) is None
    write_evidence(evidence, tmp_path, key)
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
    assert evidence_key("data", Config(), **asked) == key
    others = [
        evidence_key("other", Config(), **asked),
        evidence_key("data", parse_config("holdout: {fraction: 0.2}", ""), **asked),
        evidence_key("data", Config(), **{**asked, "top_n_targets": 3}),
        evidence_key("data", Config(), **{**asked, "symbols": ["A"]}),
    ]
    assert len({key, *others}) == 5
    written = read_candidates(tmp_path / "METRICS" / "routing_candidates.parquet")
    assert written.snapshot == evidence.candidates.snapshot


@pytest.mark.parametrize("name", ["summary.json", "candidates.parquet", "snapshots.parquet"])
def test_a_damaged_cache_entry_is_measured_again(evidence: Evidence, tmp_path: Path, name: str) -> None:
    write_evidence(evidence, tmp_path, "k")
    assert cached_evidence(tmp_path, "k") is not None
    path = tmp_path / "METRICS" / "cache" / "k" / name
    written = path.read_bytes()
    middle = len(written) // 2
    path.write_bytes(written[:middle] + bytes([written[middle] ^ 1]) + written[middle + 1 :])
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
    write_evidence(first, tmp_path, "first")
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


def test_a_run_over_other_symbols_does_not_spoil_the_cache_and_new_history_does(panel: Panel, tmp_path: Path) -> None:
    write_evidence(measure(panel, tmp_path), tmp_path, "all")
    some = replace(panel, rows=panel.rows[:8], fingerprint="some")
    write_evidence(measure(some, tmp_path), tmp_path, "some")
    assert cached_evidence(tmp_path, "all") is not None
    longer = replace(panel, timestamps=panel.timestamps - 10**12, fingerprint="older")
    shifted = tuple(replace(r, label_end=r.label_end - 10**12) for r in panel.rows)
    write_evidence(measure(replace(longer, rows=shifted), tmp_path), tmp_path, "older")
    assert cached_evidence(tmp_path, "all") is None


def test_snapshots_of_other_targets_of_the_same_data_stay(panel: Panel, tmp_path: Path) -> None:
    one = replace(
        panel, targets=panel.targets[:1], rows=tuple(replace(r, targets=r.targets[:, :1]) for r in panel.rows)
    )
    write_evidence(measure(panel, tmp_path), tmp_path, "all")
    write_evidence(measure(one, tmp_path), tmp_path, "one")
    (path,) = (tmp_path / "METRICS" / "snapshots").glob("*.parquet")
    assert set(pl.read_parquet(path)["target"]) == {t.name for t in panel.targets}


def test_a_symbol_whose_features_are_all_missing_has_no_skill_of_its_own(panel: Panel, tmp_path: Path) -> None:
    empty = replace(panel.rows[0], features=np.full_like(panel.rows[0].features, np.nan))
    evidence = measure(replace(panel, rows=(empty, *panel.rows[1:])), tmp_path)
    row = local_rows(evidence, "y_pooled_5d").filter(pl.col("symbol") == "S000").to_dicts()[0]
    assert row["score_shrunk"] is None
    assert row["p_skill"] is None
    assert row["p_local_better"] is None
    assert row["delta_local_se"] is None
    assert row["failed_model_families"] == row["attempted_model_families"]
    assert row["cs_score_shrunk"] == 0.5
    assert row["p_cs_skill"] == 0.0


def test_a_symbol_without_test_rows_has_the_prior_predictive_of_the_pool(panel: Panel, tmp_path: Path) -> None:
    late = panel.rows[0]
    start = 1400
    young = replace(
        late,
        time_index=late.time_index[start:],
        features=late.features[start:],
        targets=late.targets[start:],
        label_end=late.label_end[start:],
    )
    evidence = measure(replace(panel, rows=(young, *panel.rows[1:])), tmp_path)
    row = local_rows(evidence, "y_pooled_5d").filter(pl.col("symbol") == "S000").to_dicts()[0]
    assert row["p_skill"] is None
    assert row["p_cs_skill"] > 0.8


def test_a_suspect_feature_in_use_makes_its_target_suspect(panel: Panel, tmp_path: Path) -> None:
    named = replace(panel, features=("next_f0", *panel.features[1:]))
    careless = parse_config("routing: {require_safe_features_only: false}", "test")
    used = pooled_rows(measure(named, tmp_path, careless))["y_pooled_5d"]
    assert used["leakage_status"] == "SUSPECT"
    accepted = parse_config("leakage: {accept: [next_f0]}", "test")
    assert pooled_rows(measure(named, tmp_path, accepted))["y_pooled_5d"]["leakage_status"] == "SAFE"


def test_implausible_skill_makes_suspect_where_it_is_and_nowhere_else(panel: Panel, tmp_path: Path) -> None:
    config = parse_config(f"leakage: {{suspect_score: 0.6, accept: {list(panel.features)}}}", "test")
    frame = measure(panel, tmp_path, config).candidates.frame
    implausible = frame["score"].fill_null(0.0) > 0.6
    assert 0 < implausible.sum() < len(frame)
    assert (frame["leakage_status"] == "SUSPECT").to_list() == implausible.to_list()


def test_what_suspect_features_cost_is_told_apart_from_what_leaks_gave(panel: Panel, tmp_path: Path) -> None:
    rows = tuple(replace(r, features=np.c_[r.features[:, :-1], r.targets[:, 3]].astype(np.float32)) for r in panel.rows)
    both = replace(panel, rows=rows, features=("next_f0", *panel.features[1:]))
    place = next(p for p in measure(both, tmp_path).ranking if p.target == "y_noise_5d")
    assert place.score is not None
    assert place.score_with_suspect is not None
    assert abs(place.score_with_suspect - place.score) < 0.03
    assert place.score_with_quarantined is not None
    assert place.score_with_quarantined > 0.9


def test_the_pool_counts_dates_and_not_rows(evidence: Evidence, panel: Panel) -> None:
    pooled = pooled_rows(evidence)["y_noise_5d"]
    one = local_rows(evidence, "y_noise_5d").to_dicts()[0]
    assert pooled["n_eff"] == one["n_eff"]
    assert one["minority_events"] <= pooled["minority_events"] <= one["n_eff"] + 1  # type: ignore[operator]
    assert pooled["sample_size"] == one["sample_size"] * len(panel.rows)
