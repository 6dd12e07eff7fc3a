from pathlib import Path

import pytest

from trainroute.config import Config, default_config_text, load_config, parse_config
from trainroute.errors import ConfigError


def test_packaged_default_states_every_default_of_the_schema() -> None:
    assert parse_config(default_config_text(), "default") == Config()


def test_config_of_the_working_directory_beats_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "CONFIG/training_config/routing_config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("routing: {min_minority_events: 7}\n")
    monkeypatch.chdir(tmp_path)
    assert load_config().routing.min_minority_events == 7


def test_without_any_file_the_packaged_default_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config() == Config()


def test_given_file_beats_that_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "CONFIG/training_config/routing_config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("routing: {min_minority_events: 7}\n")
    mine = tmp_path / "mine.yaml"
    mine.write_text("routing: {min_minority_events: 8}\n")
    monkeypatch.chdir(tmp_path)
    assert load_config(mine).routing.min_minority_events == 8


def test_empty_file_means_all_defaults() -> None:
    assert parse_config("", "x") == Config()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("routing: {min_samples: 3}", "routing.min_samples"),
        ("rooting: {}", "rooting"),
        ("routing: {min_minority_events: -1}", "routing.min_minority_events"),
        ("routing: {min_minority_events: .nan}", "routing.min_minority_events"),
        ("routing: {symbol: {min_score: 1.5, strong_score: 2}}", "routing.symbol.min_score"),
        ("routing: {symbol: {min_score: 0.6, strong_score: 0.5}}", "routing.symbol"),
        ("routing: {both_strong_behavior: PREFER_BEST}", "routing.both_strong_behavior"),
        ("routing: {stability_allowlist: {symbol: [SOLID]}}", "routing.stability_allowlist.symbol"),
        ("routing: {evidence: {cs_better_below: 0.8}}", "cs_better_below 0.8"),
        ("routing: {min_sample_size: {cross_sectional: many, symbol: 1}}", "routing.min_sample_size.cross_sectional"),
        ("holdout: {fraction: 0}", "holdout.fraction"),
        ("validation: {initial_train_blocks: 10}", "initial_train_blocks 10"),
        ("routing: [1, 2]", "routing"),
        ("- routing", "expected a mapping"),
        ("routing: {", "not valid YAML"),
    ],
)
def test_bad_setting_is_one_line_that_names_the_key(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, "mine.yaml")
    message = str(raised.value)
    assert named in message
    assert "mine.yaml" in message
    assert "\n" not in message


def test_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trainroute init"):
        load_config(tmp_path / "absent.yaml")


def test_thresholds_may_differ_per_task() -> None:
    config = parse_config(
        "routing: {symbol: {min_score: {classification: 0.53, regression: 0.51}, strong_score: 0.57}}", "x"
    )
    assert config.routing.symbol.min_score.regression == 0.51  # type: ignore[union-attr]


def test_plan_identity_covers_what_decides_and_nothing_else() -> None:
    base = Config()
    assert base.config_hash == parse_config("training: {workers: 2}", "x").config_hash
    assert base.config_hash == parse_config("routing: {dump_plan_as: [JSON]}", "x").config_hash
    assert base.config_hash != parse_config("routing: {min_minority_events: 31}", "x").config_hash
    assert base.config_hash != parse_config("planning: {experimental_families: [XGBoost]}", "x").config_hash


def test_evidence_identity_covers_what_is_measured_and_not_the_thresholds() -> None:
    base = Config()
    assert base.evidence_hash == parse_config("routing: {min_minority_events: 31}", "x").evidence_hash
    assert base.evidence_hash != parse_config("validation: {n_blocks: 12}", "x").evidence_hash
    assert base.evidence_hash != parse_config("leakage: {accept: [f]}", "x").evidence_hash
    top_k = parse_config("routing: {stability_classification: {top_k: 10}}", "x")
    assert base.evidence_hash != top_k.evidence_hash
