from pathlib import Path

import pytest

from trainroute.config import Config, default_config_text, load_config, parse_config
from trainroute.config.strict_yaml import load_yaml
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
        ("routing: {min_minority_events: 10000000000000000000}", "min_minority_events"),
        ("routing: {evidence: {cs_better_below: 0.8}}", "cs_better_below 0.8"),
        ("routing: {min_sample_size: {cross_sectional: many, symbol: 1}}", "routing.min_sample_size.cross_sectional"),
        ("routing: {symbol: {min_score: 0.6}}", "routing.symbol.strong_score: missing"),
        (
            "routing: {stability_classification: {stable_overlap_min: 0.4}}",
            "routing.stability_classification: drifting_overlap_min 0.5 must not exceed stable_overlap_min 0.4",
        ),
        (
            "routing: {stability_classification: {drifting_tau_min: 0.65}}",
            "routing.stability_classification: drifting_tau_min 0.65 must not exceed stable_tau_min 0.6",
        ),
        ("routing: {evidence: {min_p_skill: {weak: 0.995}}}", "weak 0.995 must not exceed strong 0.99"),
        ("routing: {evidence: {min_p_skill: {experimental: 0.96}}}", "experimental 0.96 must not exceed weak 0.8"),
        (
            "routing: {experimental: {min_score: 0.525}}",
            "routing: experimental.min_score 0.525 must not exceed cross_sectional.min_score 0.52",
        ),
        (
            "routing: {symbol: {min_score: {classification: 0.53, regression: 0.505}, strong_score: 0.57}}",
            "routing: experimental.min_score 0.51 must not exceed symbol.min_score 0.505",
        ),
        ("routing: {allowed_feature_leakage_status: [SAFE, BLOCKED]}", "routing.allowed_feature_leakage_status.1"),
        ("routing: {allowed_feature_leakage_status: []}", "routing.allowed_feature_leakage_status: must contain SAFE"),
        ("routing: {allowed_feature_leakage_status: [SUSPECT]}", "must contain SAFE"),
        ("routing: {stability_allowlist: {symbol: []}}", "routing.stability_allowlist.symbol: must not be empty"),
        ("routing: {experimental: {allowed_stabilities: []}}", "routing.experimental.allowed_stabilities: must not"),
        ("routing: {dump_candidates_as: XLSX}", "routing.dump_candidates_as"),
        ("planning: {standard_families: []}", "planning.standard_families: must not be empty"),
        ("planning: {standard_families: XGBoost}", "planning.standard_families: Input should be a valid list"),
        ("planning: {family_min_priority: {XGBoost: 1, xgboost: 2}}", "planning.family_min_priority: a family stands"),
        ("training: {families: {XGBoost: {threads: 0}}}", "training.families.XGBoost.threads: "),
        ("training: {families: {XGBoost: {hyperparameters: {eta: [1]}}}}", "XGBoost.hyperparameters.eta: Input should"),
        ("routing: {symbol: {min_score: yes, strong_score: 0.6}}", "unable to parse string as a number, got 'yes'"),
        ("routng: {}", "unknown key, did you mean routing?"),
        ("data: {targets: {PM2.5: {horzon: 1h}}}", "data.targets.PM2.5.horzon: unknown key"),
        (
            "routing: {block_on_leakge: true}",
            "unknown key, did you mean routing.block_on_leakage?; see 'trainroute init'",
        ),
        (
            "routing: {pins: [{target: y, symbol: 007, force: BLOCKED, reason: r, expires: 2027-01-01}]}",
            "routing.pins.0.symbol: expected text, got 7; put it in quotes",
        ),
        ("training: {seed: 99999999999999999999999}", "training.seed: Input should be less than or equal"),
        ("training: {seed: 2147483648}", "training.seed: "),
        ("training: {seed: -1}", "training.seed: "),
        ("holdout: {fraction: 0}", "holdout.fraction"),
        ("validation: {initial_train_blocks: 10}", "initial_train_blocks 10"),
        ("routing: [1, 2]", "routing"),
        ("- routing", "expected a mapping"),
        ("routing: {", "not valid YAML"),
        ("routing:\n  min_minority_events: 3\nrouting: {}", "line 3: 'routing' stands already in line 1"),
        ("training: {seed: 1, workers: 2,\n seed: 2}", "line 2: 'seed' stands already in line 1"),
        ("? [routing]\n: {}", "not valid YAML"),
        ("routing: " + "[" * 5000, "not valid YAML"),
    ],
)
def test_bad_setting_is_one_line_that_names_the_key(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, "mine.yaml")
    message = str(raised.value)
    assert named in message
    assert "mine.yaml" in message
    assert "\n" not in message


def test_one_wrong_value_is_one_problem() -> None:
    with pytest.raises(ConfigError, match=r"^config x: routing.symbol.min_score.classification: [^:]*, got 2$"):
        parse_config("routing: {symbol: {min_score: {classification: 2, regression: 0.5}, strong_score: 0.57}}", "x")


def test_without_the_lane_its_threshold_is_not_compared() -> None:
    text = "routing: {enable_experimental_lane: false, cross_sectional: {min_score: 0.5, strong_score: 0.55}}"
    assert parse_config(text, "x").routing.cross_sectional.min_score == 0.5


@pytest.mark.parametrize("text", ["1e-2", "1E-2", "+1e-2", "1.e-2", ".1e-1", "0.1e-1", "10e-3"])
def test_a_number_with_an_exponent_is_a_number(text: str) -> None:
    config = parse_config(f"training: {{families: {{XGBoost: {{hyperparameters: {{eta: {text}}}}}}}}}", "x")
    assert config.training.families["XGBoost"].hyperparameters == {"eta": 0.01}


@pytest.mark.parametrize("text", ["e-2", "1e", "1e-2x", "'1e-2'", "1e-2\u2000", "0x1e"])
def test_what_only_looks_like_an_exponent_stays_what_it_was(text: str) -> None:
    config = parse_config(f"training: {{families: {{XGBoost: {{hyperparameters: {{eta: {text}}}}}}}}}", "x")
    assert config.training.families["XGBoost"].hyperparameters["eta"] == (30 if text == "0x1e" else text.strip("'"))


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10), ("0o10", 8), ("-7", -7), ("10:00", "10:00"), ("yes", "yes"), ("ON", "ON"), ("True", True)],
)
def test_words_and_numbers_are_what_they_look_like(text: str, value: object) -> None:
    found = load_yaml(f"[{text}]")[0]
    assert (found, type(found)) == (value, type(value))


def test_a_yaml_merge_may_be_overridden() -> None:
    text = """
    training:
      families:
        LightGBM: &boosted {threads: 2, attempts: 1}
        XGBoost: {<<: *boosted, threads: 3}
    """
    families = parse_config(text, "x").training.families
    assert (families["XGBoost"].threads, families["XGBoost"].attempts) == (3, 1)


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
    assert base.config_hash == parse_config("routing: {dump_candidates_as: CSV}", "x").config_hash
    assert base.config_hash != parse_config("routing: {min_minority_events: 31}", "x").config_hash
    assert base.config_hash != parse_config("planning: {experimental_families: [XGBoost]}", "x").config_hash


def test_evidence_identity_covers_what_is_measured_and_not_the_thresholds() -> None:
    base = Config()
    assert base.evidence_hash == parse_config("routing: {min_minority_events: 31}", "x").evidence_hash
    assert base.evidence_hash != parse_config("validation: {n_blocks: 12}", "x").evidence_hash
    assert base.evidence_hash != parse_config("leakage: {accept: [f]}", "x").evidence_hash
    top_k = parse_config("routing: {stability_classification: {top_k: 10}}", "x")
    assert base.evidence_hash != top_k.evidence_hash
