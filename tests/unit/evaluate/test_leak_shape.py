"""The shape of skill over time: leaks that are found by it, and honest features that are not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaks import KINDS, Kind, panel
from scipy.stats import spearmanr

from trainroute.config import Config, parse_config
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage import LEAK_CHECKS, LeakContext
from trainroute.evaluate.leakage.label_filters import LabelCurve
from trainroute.evaluate.leakage.ranks import Ranked, agreement
from trainroute.evaluate.leakage.window_shape import _Filters, _Part
from trainroute.panel import Panel, walk_forward
from trainroute.records.vocabulary import LeakageStatus as Status

BY_NAME = {kind.name: kind for kind in KINDS}
HONEST = [kind for kind in KINDS if kind.group in ("ordinary", "strong") and not kind.alone]


def findings(check: str, made: Panel, config: Config | None = None) -> list[LeakFinding]:
    config = config or Config()
    strength = np.full((len(made.targets), len(made.features)), 0.5)
    context = LeakContext(
        panel=made, split=walk_forward(made, config), config=config, data_dir=Path("nowhere"), strength=strength
    )
    return list(LEAK_CHECKS.get(check)().find(context))


def planted(kind: Kind, *, n_symbols: int = 10, horizon: int = 12, binary: bool = False, seed: int = 7) -> Panel:
    return panel(kind, horizon=horizon, n_symbols=n_symbols, n_rows=3000, binary=binary, seed=seed)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("name", ["noisy copy of the label", "noisy copy, volatility label", "noisy copy, swing label"])
def test_noisy_copies_of_the_label_are_found_by_their_shape(name: str, binary: bool) -> None:
    made = planted(BY_NAME[name], binary=binary)
    found = findings("window_shape", made)
    assert {f.feature for f in found} == set(made.features)
    assert all(f.target == made.targets[0].name and f.statistic < f.threshold for f in found)
    assert sum(f.status is Status.BLOCKED for f in found) >= 7
    assert all(f.symbols == () for f in found)


def test_a_leak_from_mid_history_on_is_found() -> None:
    made = planted(BY_NAME["leak from mid-history on"])
    assert len(findings("window_shape", made)) == len(made.features)


def test_a_leak_in_one_symbol_is_found_and_the_symbol_is_named() -> None:
    made = planted(BY_NAME["leak in one symbol"])
    found = findings("window_shape", made)
    assert len(found) >= 7
    assert sum("(S000)" in f.detail for f in found) >= 5
    assert {f.symbols for f in found} == {("S000",)}


def test_a_leak_in_some_symbols_is_found_and_they_are_named() -> None:
    made = planted(BY_NAME["leak in a quarter of the symbols"], n_symbols=16)
    found = findings("window_shape", made)
    assert len(found) == len(made.features)
    together = [f.detail for f in found if "all symbols, mostly" in f.detail]
    assert together
    assert all("mostly 4 in all, e.g. S000, S004, S008" in detail for detail in together[:1])
    assert sum(set(f.symbols) == {"S000", "S004", "S008", "S012"} for f in found) >= len(found) - 2


@pytest.mark.parametrize("kind", HONEST, ids=[kind.name for kind in HONEST])
@pytest.mark.parametrize("horizon", [5, 12])
def test_honest_features_pass_however_strong(kind: Kind, horizon: int) -> None:
    made = planted(kind, horizon=horizon, binary=horizon == 5)
    found = findings("window_shape", made)
    assert [f for f in found if f.status is Status.BLOCKED] == []
    assert len(found) <= 1


def test_seasons_that_differ_from_symbol_to_symbol_and_cancel_far_ahead_are_no_windows() -> None:
    alone = BY_NAME["alone: strong season"]
    found = [findings("window_shape", planted(alone, horizon=4, seed=seed)) for seed in range(12)]
    assert sum(len(each) for each in found) <= 1


def test_honest_strong_features_do_have_skill_that_size_alone_would_condemn() -> None:
    made = planted(BY_NAME["persistent volatility"], n_symbols=1)
    (rows,) = made.rows
    skill = np.abs(spearmanr(np.c_[rows.targets, rows.features])[0][0, 1:])
    leak = planted(BY_NAME["noisy copy, volatility label"], n_symbols=1)
    weaker = np.abs(spearmanr(np.c_[leak.rows[0].targets, leak.rows[0].features])[0][0, 1:])
    assert skill.mean() > weaker.mean()


def test_labels_of_fewer_than_four_bars_have_no_shape_to_judge() -> None:
    assert findings("window_shape", planted(BY_NAME["noisy copy of the label"], horizon=3, n_symbols=2)) == []


def test_the_registry_of_the_user_speaks_for_a_feature() -> None:
    made = planted(BY_NAME["noisy copy of the label"], n_symbols=4)
    config = parse_config(f"leakage: {{registry: {{{made.features[0]}: SAFE}}}}", "test")
    assert made.features[0] in {f.feature for f in findings("window_shape", made)}
    assert made.features[0] not in {f.feature for f in findings("window_shape", made, config)}


@pytest.mark.parametrize("binary", [False, True])
def test_a_label_filled_forward_is_a_copy_where_it_changes(binary: bool) -> None:
    made = planted(BY_NAME["forward fill of the label"], binary=binary, n_symbols=3)
    assert {f.feature for f in findings("copies", made)} == set(made.features)


@pytest.mark.parametrize("name", ["id given in order of the label", "sibling target"])
def test_ids_and_siblings_that_order_a_binary_label_are_copies(name: str) -> None:
    made = planted(BY_NAME[name], binary=True, n_symbols=2)
    assert {f.feature for f in findings("copies", made)} == set(made.features)


@pytest.mark.parametrize("kind", HONEST, ids=[kind.name for kind in HONEST])
def test_honest_features_are_no_copies_and_number_no_rows(kind: Kind) -> None:
    made = planted(kind, n_symbols=3, binary=True)
    assert findings("copies", made) == []
    assert findings("row_numbers", made) == []


def test_features_that_number_the_rows_are_suspect() -> None:
    made = planted(BY_NAME["timestamp"], n_symbols=3)
    found = findings("row_numbers", made)
    assert {(f.feature, f.status) for f in found} == {(name, Status.SUSPECT) for name in made.features}


def test_a_lone_feature_with_unusual_skill_is_suspect_and_with_a_runner_up_it_is_not() -> None:
    made = planted(BY_NAME["nothing to do with the label"], n_symbols=2, horizon=1, binary=True)
    copied, both = [], []
    for rows in made.rows:
        noise = np.random.default_rng(1).normal(size=(len(rows), 2)).astype(np.float32)
        features = rows.features.copy()
        features[:, 0] = 1.6 * rows.targets[:, 0] + noise[:, 0]
        copied.append(replace(rows, features=features))
        features = features.copy()
        features[:, 1] = 1.2 * rows.targets[:, 0] + noise[:, 1]
        both.append(replace(rows, features=features))
    lone = findings("skill_size", replace(made, rows=tuple(copied)))
    assert [(f.feature, f.status) for f in lone] == [(made.features[0], Status.SUSPECT)]
    assert "all others at most" in lone[0].detail
    assert findings("skill_size", replace(made, rows=tuple(both))) == []


@settings(deadline=None)
@given(
    horizon=st.integers(4, 30),
    teeth=st.sampled_from([0, 2, 3]),
    decays=st.lists(st.tuples(st.floats(0.02, 100.0), st.floats(0.0, 1.0)), min_size=1, max_size=4),
    behind=st.lists(st.floats(-1.0, 1.0), min_size=90, max_size=90),
)
def test_no_mixture_of_honest_decays_passes_the_filter_whatever_is_known_of_the_past(
    horizon: int, teeth: int, decays: list[tuple[float, float]], behind: list[float]
) -> None:
    curve = LabelCurve(horizon)
    lags = curve.lags(teeth)
    label = np.maximum(0.0, 1 - np.arange(lags[-1] - lags[0] + 1) / horizon)
    weights = curve.filter(label, teeth)
    assert weights is not None
    np.testing.assert_allclose(weights @ label[np.abs(lags)], 1.0)
    # g over bars -90 … 4h: what is behind only as far as the comb without its last tooth reaches.
    reach = max(teeth - 1, 0) * horizon - curve.half
    ahead = np.arange(1, 4 * horizon + 1)
    g = {j: sum(w * np.exp(-(j - 1) / (d * horizon)) for d, w in decays) for j in ahead.tolist()}
    g |= {-j: behind[j] for j in range(max(min(reach, 90), 0))}
    skill = np.array([sum(g.get(int(k) + i, 0.0) for i in range(1, horizon + 1)) for k in lags])
    assert weights @ skill <= 0.02 * abs(skill[lags == 0][0]) + 1e-9


@given(st.integers(0, 2**32 - 1), st.integers(-6, 6))
def test_agreement_is_the_rank_correlation_of_shifted_columns(seed: int, lag: int) -> None:
    rng = np.random.default_rng(seed)
    f, y = rng.normal(size=(60, 1)).astype(np.float32), rng.normal(size=(60, 1)).astype(np.float32)
    ranked_f, ranked_y = Ranked.of(f), Ranked.of(y)
    pairs = [(ranked_f.value[t, 0], ranked_y.value[t + lag, 0]) for t in range(60) if 0 <= t + lag < 60]
    a, b = np.array(pairs, np.float64).T
    slow = np.cov(a, b, bias=True)[0, 1] / min(a.var(), b.var())
    np.testing.assert_allclose(agreement(ranked_f, ranked_y, lag, 10)[0, 0], np.clip(slow, -1, 1), atol=1e-4)
    if lag == 0:
        np.testing.assert_allclose(agreement(ranked_f, ranked_y, 0, 10)[0, 0], spearmanr(f, y)[0], atol=1e-4)


def test_the_amount_of_a_label_in_a_feature_has_the_error_of_the_rest_of_the_feature_only() -> None:
    rng = np.random.default_rng(2)
    label, noise = rng.normal(size=(40, 30)) * rng.uniform(0.2, 3.0, size=(40, 1)), rng.normal(size=(3, 40, 30))
    features = np.array([0.5, 0.5, 0.0])[:, None, None] * label + np.array([0.0, 0.3, 1.0])[:, None, None] * noise
    totals = (features * label).sum(2)[:, None]
    part = _Part("all", None, 1.0, totals, (label**2).sum(1)[None], np.full(40, 30.0))
    amount, error, _ = part.mean_and_error()
    np.testing.assert_allclose(amount[0], 0.5)
    np.testing.assert_allclose(error[0], 0.0, atol=1e-12)
    assert np.all(np.abs(amount[1:, 0] - [0.5, 0.0]) < 4 * error[1:, 0])
    amount, error, _ = replace(part, own=part.own * 0.01).mean_and_error()
    assert not amount.any()
    assert np.isnan(error).all()


def test_ranks_leave_missing_values_out() -> None:
    values = np.array([[3.0], [np.nan], [1.0], [2.0]], np.float32)
    np.testing.assert_allclose(Ranked.of(values).value[:, 0], [1 / 3, 0.0, -1 / 3, 0.0], atol=1e-6)
    np.testing.assert_array_equal(Ranked.of(values).known[:, 0], [1, 0, 1, 1])


def test_a_filtered_label_is_the_weighted_sum_of_its_lags() -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(size=(40, 2)).astype(np.float32)
    lags, weights = np.array([-5, 0, 3]), rng.normal(size=(2, 3))
    filtered = _Filters(0, 1, lags, weights).apply(labels)
    for t in range(40):
        for row in range(2):
            slow = sum(w * labels[t + k, 1] for k, w in zip(lags, weights[row], strict=True) if 0 <= t + k < 40)
            np.testing.assert_allclose(filtered[t, row], slow, atol=1e-5)
