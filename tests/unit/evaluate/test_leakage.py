"""Leak checks: what they must find, what they must let pass, and what follows from a finding."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from planted import panel_of, symbol_rows

from trainroute.config import Config, parse_config
from trainroute.errors import ConfigError
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage import LEAK_CHECKS, LeakContext, quarantine
from trainroute.panel import Panel, WalkForward
from trainroute.records.vocabulary import LeakageStatus as Status
from trainroute.records.vocabulary import Task

HORIZON = 5
N = 1200


def returns_panel(n_symbols: int = 3, **columns: object) -> Panel:
    """A panel with a forward return, its direction, honest features, and those that ``columns`` build."""
    rows, names = [], ["past_return", "noise"]
    for s in range(n_symbols):
        rng = np.random.default_rng(s)
        price = np.cumsum(rng.normal(size=N + 2 * HORIZON))
        past = price[HORIZON : N + HORIZON] - price[:N]
        forward = price[2 * HORIZON :] - price[HORIZON : N + HORIZON]
        features = {"past_return": past, "noise": rng.normal(size=N)}
        for name, build in columns.items():
            features[name] = build(rng, forward)  # type: ignore[operator]
        names = list(features)
        labels = np.stack([forward, forward], 1).astype(np.float32)
        rows.append(symbol_rows(f"S{s}", np.stack(list(features.values()), 1).astype(np.float32), labels, HORIZON))
    panel = panel_of(rows, ["fwd_ret_5d", "target_ret_5d"], HORIZON, Task.REGRESSION)
    object.__setattr__(panel, "features", tuple(names))
    return panel


def context(panel: Panel, config: Config | None = None) -> LeakContext:
    split = WalkForward.build(panel.timestamps, n_blocks=6, initial_train_blocks=3, holdout_fraction=0.1, embargo_us=0)
    return LeakContext(
        panel=panel,
        split=split,
        config=config or Config(),
        data_dir=Path("nowhere"),
        strength=np.ones((len(panel.targets), len(panel.features))),
    )


def findings(check: str, panel: Panel, config: Config | None = None) -> list[LeakFinding]:
    return list(LEAK_CHECKS.get(check)().find(context(panel, config)))


@pytest.mark.parametrize("shift", [0, 1, 3, 5, -2, -4])
def test_a_copy_of_an_open_label_is_blocked(shift: int) -> None:
    found = findings("copies", returns_panel(leak=lambda _, y: np.roll(y, -shift)))
    assert [(f.feature, f.status, f.target) for f in found] == [("leak", Status.BLOCKED, None)]
    assert f"{shift:+d} bars" in found[0].detail
    assert found[0].statistic is not None
    assert found[0].statistic >= 0.995
    assert found[0].rows > 500


def test_a_monotone_transformation_of_the_label_is_a_copy() -> None:
    assert [f.feature for f in findings("copies", returns_panel(leak=lambda _, y: np.exp(-y / 3)))] == ["leak"]


def test_the_completed_window_and_noise_pass() -> None:
    assert findings("copies", returns_panel()) == []


def test_smooth_honest_measure_of_the_past_window_passes() -> None:
    def smooth(_: np.random.Generator, forward: np.ndarray) -> np.ndarray:
        return np.roll(np.cumsum(forward), HORIZON)

    assert findings("copies", returns_panel(level=smooth)) == []


@pytest.mark.parametrize("name", ["fwd_vol", "next_close", "label", "x.future.y", "my_target_1", "lead3"])
def test_a_name_that_looks_ahead_is_suspect(name: str) -> None:
    found = findings("names", returns_panel(**{name: lambda rng, y: rng.normal(size=len(y))}))
    assert [(f.feature, f.status) for f in found] == [(name, Status.SUSPECT)]


@pytest.mark.parametrize("name", ["momentum_5", "leader_score", "nextdoor", "labelled", "forwarder"])
def test_an_innocent_name_passes(name: str) -> None:
    assert findings("names", returns_panel(**{name: lambda rng, y: rng.normal(size=len(y))})) == []


def test_the_registry_of_the_user_beats_the_name() -> None:
    config = parse_config("leakage: {registry: {label: SAFE, noise: BLOCKED}}", "test")
    found = findings("names", returns_panel(label=lambda rng, y: rng.normal(size=len(y))), config)
    assert [(f.feature, f.status) for f in found] == [("noise", Status.BLOCKED)]


def test_size_of_skill_alone_is_suspect_at_most() -> None:
    panel = returns_panel(oracle=lambda rng, y: y + 0.1 * rng.normal(size=len(y)))
    found = findings("skill_size", panel)
    assert {(f.feature, f.status, f.target) for f in found} == {
        ("oracle", Status.SUSPECT, "fwd_ret_5d"),
        ("oracle", Status.SUSPECT, "target_ret_5d"),
    }
    assert all(f.statistic is not None and f.statistic > 0.95 for f in found)


def finding(feature: str, status: Status, target: str | None = None) -> LeakFinding:
    return LeakFinding(
        check="test", feature=feature, target=target, status=status, statistic=1.0, threshold=0.9, rows=10, detail="d"
    )


def test_quarantine_excludes_what_was_found_for_the_targets_it_concerns() -> None:
    panel = returns_panel()
    result = quarantine(
        panel, [finding("noise", Status.BLOCKED), finding("past_return", Status.SUSPECT, "fwd_ret_5d")], Config()
    )
    assert result.excluded(0, panel.features) == ("past_return", "noise")
    assert result.excluded(1, panel.features) == ("noise",)


def test_a_copy_in_one_symbol_names_it_and_one_in_all_names_none() -> None:
    panel = returns_panel(everywhere=lambda _, y: y, once=lambda rng, _: rng.normal(size=N))
    first, *others = panel.rows
    features = first.features.copy()
    features[:, panel.features.index("once")] = first.targets[:, 0]
    object.__setattr__(panel, "rows", (replace(first, features=features), *others))
    found = findings("copies", panel)
    assert {(f.feature, f.symbols) for f in found} == {("everywhere", ()), ("once", ("S0",))}


def test_suspicion_is_about_the_symbols_in_which_its_evidence_lies() -> None:
    panel = returns_panel()
    confined = msgspec.structs.replace(finding("noise", Status.SUSPECT), symbols=("S1",))
    result = quarantine(panel, [confined, finding("past_return", Status.SUSPECT, "fwd_ret_5d")], Config())
    assert result.suspects(1, [0, 1]) == {"S1"}
    assert result.suspects(0, [1]) == {"S1"}
    assert result.suspects(0, [0, 1]) == {"S0", "S1", "S2"}
    assert result.suspects(1, [0]) == set()


def test_a_suspect_feature_can_be_accepted_and_a_blocked_one_cannot() -> None:
    panel = returns_panel()
    config = parse_config("leakage: {accept: [noise, past_return]}", "test")
    result = quarantine(panel, [finding("noise", Status.SUSPECT), finding("past_return", Status.BLOCKED)], config)
    assert result.excluded(0, panel.features) == ("past_return",)
    assert result.accepted == ("noise",)


def test_without_the_safe_rule_suspects_stay_and_blocked_do_not() -> None:
    panel = returns_panel()
    config = parse_config("routing: {require_safe_features_only: false}", "test")
    result = quarantine(panel, [finding("noise", Status.SUSPECT), finding("past_return", Status.BLOCKED)], config)
    assert result.excluded(0, panel.features) == ("past_return",)


@pytest.mark.parametrize(
    "key", ["accept: [past_retrun]", "registry: {past_retrun: SAFE}", "recipes: {past_retrun: 'a:b'}"]
)
def test_a_name_in_the_config_that_is_no_column_is_an_error_with_the_nearest(tmp_path: Path, key: str) -> None:
    pl.DataFrame({"symbol": ["A"], "ts": [0], "unasked": [0.0]}).write_parquet(tmp_path / "p.parquet")
    seen = replace(context(returns_panel(), parse_config(f"leakage: {{{key}}}", "test")), data_dir=tmp_path)
    message = rf"^leakage\.{key.partition(':')[0]}: unknown column 'past_retrun'; did you mean 'past_return'\?$"
    with pytest.raises(ConfigError, match=message):
        list(LEAK_CHECKS.get("names")().find(seen))


def test_the_config_may_speak_of_columns_that_were_not_asked_for(tmp_path: Path) -> None:
    pl.DataFrame({"symbol": ["A"], "ts": [0], "unasked": [0.0]}).write_parquet(tmp_path / "p.parquet")
    config = parse_config("leakage: {accept: [unasked], registry: {unasked: BLOCKED, noise: SAFE}}", "test")
    seen = replace(context(returns_panel(), config), data_dir=tmp_path)
    assert list(LEAK_CHECKS.get("names")().find(seen)) == []


def test_no_check_sees_a_label_that_reaches_into_the_holdout() -> None:
    panel = returns_panel(oracle=lambda rng, y: y + 0.1 * rng.normal(size=len(y)))
    seen = context(panel)
    (rows, *_) = panel.rows
    labels = seen.labels(rows, seen.before_holdout(rows))
    holdout = seen.split.boundaries[-1]
    np.testing.assert_array_equal(np.isnan(labels[:, 0]), rows.label_end[: len(labels), 0] >= holdout)
    assert np.isnan(labels[-1]).all()
