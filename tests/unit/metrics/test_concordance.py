import time
import tracemalloc

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.metrics import roc_auc_score

from trainroute.metrics import concordance, grouped_concordance, multiclass_concordance


def random_rows(rng, n_rows, n_groups, *, prediction_levels, outcome_levels, missing=0.1):
    """Rows in random order of groups; 0 levels means continuous values."""
    prediction = rng.integers(0, prediction_levels, n_rows) if prediction_levels else rng.normal(size=n_rows)
    outcome = rng.integers(0, outcome_levels, n_rows) if outcome_levels else rng.normal(size=n_rows)
    outcome = np.where(rng.random(n_rows) < missing, np.nan, outcome)
    return prediction.astype(float), outcome, rng.integers(0, n_groups, n_rows)


@pytest.mark.parametrize("prediction_levels", [0, 2, 5])
@pytest.mark.parametrize("outcome_levels", [0, 2, 3, 7])
def test_equals_the_pair_loop_in_score_pairs_and_influence(pair_loop, prediction_levels, outcome_levels):
    rng = np.random.default_rng(prediction_levels * 10 + outcome_levels)
    for _ in range(6):
        prediction, outcome, group = random_rows(
            rng, 90, 4, prediction_levels=prediction_levels, outcome_levels=outcome_levels
        )
        result = grouped_concordance(prediction, outcome, group, 5)
        for g in range(4):
            rows = np.flatnonzero((group == g) & ~np.isnan(outcome))
            concordant, comparable = pair_loop(prediction[rows], outcome[rows])
            score = concordant.sum() / comparable.sum()
            assert result.score[g] == pytest.approx(score, abs=1e-14)
            assert result.pairs[g] == comparable.sum() / 2
            assert result.rows[g] == len(rows)
            expected = 2 * (concordant - score * comparable) / comparable.sum()
            np.testing.assert_allclose(result.influence[rows], expected, atol=1e-15)
        assert np.isnan(result.score[4])
        assert result.rows[4] == 0
        assert (result.influence[np.isnan(outcome)] == 0).all()


def test_a_group_with_two_outcomes_beside_one_with_many(pair_loop):
    rng = np.random.default_rng(1)
    outcome = np.concatenate((rng.integers(0, 2, 40), rng.normal(size=40)))
    prediction, group = rng.integers(0, 9, 80).astype(float), np.repeat([0, 1], 40)
    result = grouped_concordance(prediction, outcome, group, 2)
    for g in range(2):
        concordant, comparable = pair_loop(prediction[group == g], outcome[group == g])
        assert result.score[g] == pytest.approx(concordant.sum() / comparable.sum(), abs=1e-14)


@pytest.mark.parametrize("sizes", [[1] * 70_000, [9000, 0, 9000, 20_000, 3], [70_000, 5000]])
def test_single_precision_gives_what_double_gives_in_groups_of_any_size(sizes):
    rng = np.random.default_rng(len(sizes))
    n = sum(sizes)
    extremes = np.array([0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38], np.float32)
    prediction = np.where(rng.random(n) < 0.1, rng.choice(extremes, n), rng.normal(size=n)).astype(np.float32)
    group, levels = np.repeat(np.arange(len(sizes)), sizes), np.array([2, 5])[rng.integers(0, 2, len(sizes))]
    outcome = rng.integers(0, levels[group]).astype(np.float32)
    order = rng.permutation(n)
    single = grouped_concordance(prediction, outcome, group, len(sizes))
    double = grouped_concordance(
        prediction[order].astype(float), outcome[order].astype(float), group[order], len(sizes)
    )
    np.testing.assert_array_equal(single.score, double.score)
    np.testing.assert_array_equal(single.pairs, double.pairs)
    np.testing.assert_array_equal(single.influence[order], double.influence)


def test_is_the_roc_auc_of_a_binary_outcome():
    rng = np.random.default_rng(2)
    outcome = rng.integers(0, 2, 500)
    for prediction in (rng.normal(size=500) + outcome, np.round(rng.normal(size=500) + outcome)):
        assert concordance(prediction, outcome) == pytest.approx(roc_auc_score(outcome, prediction), abs=1e-12)


def test_is_kendalls_tau_without_ties():
    rng = np.random.default_rng(3)
    outcome = rng.normal(size=300)
    prediction = outcome + rng.normal(size=300)
    tau = kendalltau(prediction, outcome).statistic
    assert concordance(prediction, outcome) == pytest.approx((tau + 1) / 2, abs=1e-12)


def test_constant_prediction_scores_one_half_and_has_no_influence():
    result = grouped_concordance(np.ones(6), [1.0, 2, 3, 3, 2, 1], np.zeros(6, int), 1)
    assert result.score[0] == 0.5
    assert (result.influence == 0).all()


def test_negative_zero_ties_with_zero():
    assert concordance([0.0, -0.0], [0, 1]) == 0.5


def test_no_pair_no_score():
    for outcome in ([2.0, 2.0, 2.0], [np.nan] * 3, [1.0, np.nan, np.nan]):
        result = grouped_concordance([1.0, 2, 3], outcome, [0, 0, 0], 1)
        assert np.isnan(result.score[0])
        assert result.pairs[0] == 0
        assert (result.influence == 0).all()


def test_no_rows_at_all():
    result = grouped_concordance(np.empty(0), np.empty(0), np.empty(0, int), 2)
    assert np.isnan(result.score).all()
    assert result.influence.shape == (0,)
    assert grouped_concordance(np.empty(0), np.empty(0), np.empty(0, int), 0).score.shape == (0,)


def test_a_missing_outcome_forgives_its_prediction():
    assert concordance([np.nan, 1.0, 2.0], [np.nan, 0.0, 1.0]) == 1.0


@pytest.mark.parametrize(
    ("prediction", "outcome", "group", "message"),
    [
        ([1.0, np.nan], [0, 1], [0, 0], "1 of 2 predictions of rows with an outcome are NaN or infinite"),
        ([1.0, np.inf], [0, 1], [0, 0], "1 of 2 predictions"),
        ([1.0, 2.0], [0, np.inf], [0, 0], "outcome must be finite"),
        ([1.0, 2.0], [0, 1], [0, 1], r"group must be in 0\.\.0; got 0\.\.1"),
        ([1.0, 2.0], [0, 1], [0, -1], r"group must be in 0\.\.0"),
        ([1.0, 2.0], [0, 1], [0.0, 0.0], "group must be integer; got float64"),
        ([1.0], [0, 1], [0, 0], r"prediction must have shape \(2,\)"),
        ([1.0, 2.0], [0, 1], [0], "of one length"),
    ],
)
def test_fails_closed(prediction, outcome, group, message):
    with pytest.raises(ValueError, match=message):
        grouped_concordance(prediction, outcome, np.array(group), 1)


def test_influence_is_the_jackknife_to_first_order():
    rng = np.random.default_rng(4)
    outcome = rng.normal(size=400)
    prediction = np.round(outcome + rng.normal(size=400), 1)
    influence = grouped_concordance(prediction, outcome, np.zeros(400, int), 1).influence
    whole = concordance(prediction, outcome)
    jackknife = np.array([whole - concordance(np.delete(prediction, i), np.delete(outcome, i)) for i in range(400)])
    np.testing.assert_allclose(jackknife, influence, atol=4 * np.abs(influence).max() / 400)
    assert np.sqrt((influence**2).sum()) == pytest.approx(
        np.sqrt(((jackknife - jackknife.mean()) ** 2).sum()), rel=0.01
    )


def test_influence_is_delongs_structural_components():
    rng = np.random.default_rng(5)
    outcome = rng.integers(0, 2, 200)
    prediction = np.round(rng.normal(size=200) + outcome, 1)
    positive, negative = prediction[outcome == 1], prediction[outcome == 0]
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    result = grouped_concordance(prediction, outcome, np.zeros(200, int), 1)
    np.testing.assert_allclose(
        result.influence[outcome == 1], (kernel.mean(axis=1) - kernel.mean()) / len(positive), atol=1e-15
    )
    np.testing.assert_allclose(
        result.influence[outcome == 0], (kernel.mean(axis=0) - kernel.mean()) / len(negative), atol=1e-15
    )


def test_influence_predicts_the_spread_over_samples():
    rng = np.random.default_rng(6)
    outcome = rng.normal(size=(2000, 80))
    prediction = 0.5 * outcome + rng.normal(size=outcome.shape)
    result = grouped_concordance(prediction.ravel(), outcome.ravel(), np.repeat(np.arange(2000), 80), 2000)
    predicted = np.sqrt((result.influence.reshape(2000, 80) ** 2).sum(axis=1).mean())
    assert predicted == pytest.approx(result.score.std(), rel=0.06)


def test_more_groups_than_sixteen_bits_hold():
    rng = np.random.default_rng(7)
    n_groups = 70_000
    group = rng.permutation(np.repeat(np.arange(n_groups), 3))
    outcome, prediction = rng.normal(size=len(group)), rng.normal(size=len(group))
    result = grouped_concordance(prediction, outcome, group, n_groups)
    for g in (0, 1, 65_535, 65_536, n_groups - 1):
        assert result.score[g] == concordance(prediction[group == g], outcome[group == g])


def test_groups_of_any_size_give_what_they_give_alone():
    rng = np.random.default_rng(8)
    sizes = np.array([1, 0, 70_000, 3, 0, 1000, 65_536, 2])
    group = np.repeat(np.arange(len(sizes)), sizes)
    prediction, outcome = np.round(rng.normal(size=len(group)), 2), np.round(rng.normal(size=len(group)), 1)
    result = grouped_concordance(prediction, outcome, group, len(sizes))
    for g in np.flatnonzero(sizes > 1):
        alone = concordance(prediction[group == g], outcome[group == g])
        assert result.score[g] == alone or (np.isnan(result.score[g]) and np.isnan(alone))


def test_a_long_table_takes_seconds_and_little_memory():
    rng = np.random.default_rng(9)
    n_rows, n_groups = 400_000, 800
    group = np.repeat(np.arange(n_groups), n_rows // n_groups)
    prediction, outcome = rng.normal(size=n_rows), rng.normal(size=n_rows)
    tracemalloc.start()
    start = time.perf_counter()
    grouped_concordance(prediction, outcome, group, n_groups)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 5  # 0.2 s on an idle core
    assert peak < 150 * n_rows


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_multiclass_is_the_one_against_one_mean_of_scikit_learn(n_classes):
    rng = np.random.default_rng(10 + n_classes)
    outcome = rng.integers(0, n_classes, 300)
    scores = np.round(rng.random((300, n_classes)) + 0.4 * np.eye(n_classes)[outcome], 1) + 0.1
    scores /= scores.sum(axis=1, keepdims=True)
    result = multiclass_concordance(scores, outcome, np.arange(n_classes), np.zeros(300, int), 1)
    expected = (
        roc_auc_score(outcome, scores, multi_class="ovo")
        if n_classes > 2
        else np.mean([roc_auc_score(outcome == k, scores[:, k]) for k in range(2)])
    )
    assert result.score[0] == pytest.approx(expected, abs=1e-12)
    counts = np.bincount(outcome, minlength=n_classes)
    assert result.pairs[0] == (300**2 - (counts**2).sum()) / 2


def test_multiclass_groups_classes_and_order_of_rows():
    rng = np.random.default_rng(20)
    classes = np.array([7.0, -1.0, 3.0])
    outcome, group = rng.choice(classes, 200), rng.integers(0, 3, 200)
    outcome[(group == 2) & (outcome == 3.0)] = -1.0
    outcome[::10] = np.nan
    scores = rng.random((200, 3))
    result = multiclass_concordance(scores, outcome, classes, group, 4)
    for g in range(3):
        rows = (group == g) & ~np.isnan(outcome)
        terms = []
        for a in range(3):
            for b in range(3):
                used = rows & np.isin(outcome, [classes[a], classes[b]])
                if a != b and len(np.unique(outcome[used])) == 2:
                    terms.append(roc_auc_score(outcome[used] == classes[a], scores[used, a]))
        assert len(terms) == (2 if g == 2 else 6)
        assert result.score[g] == pytest.approx(np.mean(terms), abs=1e-12)
        assert result.influence[group == g].sum() == pytest.approx(0, abs=1e-14)
    assert np.isnan(result.score[3])
    assert (result.influence[np.isnan(outcome)] == 0).all()


def test_multiclass_influence_is_the_jackknife_to_first_order():
    rng = np.random.default_rng(21)
    outcome = rng.integers(0, 3, 240)
    scores = rng.random((240, 3)) + 0.3 * np.eye(3)[outcome]

    def score(kept):
        return multiclass_concordance(scores[kept], outcome[kept], range(3), np.zeros(len(kept), int), 1).score[0]

    influence = multiclass_concordance(scores, outcome, range(3), np.zeros(240, int), 1).influence
    everyone = np.arange(240)
    jackknife = np.array([score(everyone) - score(np.delete(everyone, i)) for i in range(240)])
    np.testing.assert_allclose(jackknife, influence, atol=6 * np.abs(influence).max() / 240)


@pytest.mark.parametrize(
    ("scores", "outcome", "message"),
    [
        (np.ones((3, 2)), [0, 1, 2], "outcome must be one of the classes"),
        (np.ones(3), [0, 1, 0], "one column per class"),
        (np.ones((3, 3)), [0, 1, 0], "one column per class"),
        (np.full((3, 2), np.nan), [0, 1, 0], "3 of 3 predictions"),
    ],
)
def test_multiclass_fails_closed(scores, outcome, message):
    with pytest.raises(ValueError, match=message):
        multiclass_concordance(scores, outcome, [0, 1], np.zeros(3, int), 1)
