"""What holds for every panel: scores depend on order alone, groups never touch, symmetry gives the mirrored score."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainroute.metrics import (
    GroupedConcordance,
    assign_time_blocks,
    block_totals,
    effective_windows,
    group_posterior,
    grouped_concordance,
    interval,
    multiclass_concordance,
    non_overlapping_events,
    standard_errors,
)

N_GROUPS = 4
LEVELS = st.sampled_from([2, 3, 50])
ESTIMATES = st.one_of(st.just(np.nan), st.floats(0, 1))
ERRORS = st.one_of(st.just(np.nan), st.floats(0, 0.3))


@st.composite
def tables(draw, outcome_levels=LEVELS):
    """Predictions and outcomes with ties and missing outcomes, in groups of any size and order."""
    n_rows, levels = draw(st.integers(0, 60)), draw(outcome_levels)
    prediction = draw(arrays(np.int64, n_rows, elements=st.integers(-5, 5))).astype(float)
    outcome = draw(arrays(np.int64, n_rows, elements=st.integers(0, levels - 1))).astype(float)
    missing = draw(arrays(np.bool_, n_rows))
    group = draw(arrays(np.int64, n_rows, elements=st.integers(0, N_GROUPS - 1)))
    return prediction, np.where(missing, np.nan, outcome), group


def score(table) -> GroupedConcordance:
    return grouped_concordance(*table, N_GROUPS)


def same(one: GroupedConcordance, other: GroupedConcordance) -> None:
    np.testing.assert_array_equal(one.score, other.score)
    np.testing.assert_array_equal(one.pairs, other.pairs)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.influence, other.influence)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_scores_are_shares_and_influence_sums_to_nothing(table):
    result = score(table)
    known = ~np.isnan(result.score)
    assert ((result.score[known] >= 0) & (result.score[known] <= 1)).all()
    assert (known == (result.pairs > 0)).all()
    sums = np.bincount(table[2], result.influence, N_GROUPS)
    np.testing.assert_allclose(sums, 0, atol=1e-12)
    assert (result.influence[np.isnan(table[1])] == 0).all()


@settings(max_examples=60, deadline=None)
@given(tables())
def test_only_the_order_of_predictions_and_outcomes_counts(table):
    prediction, outcome, group = table
    result = score(table)
    same(result, score((np.exp(prediction / 3), outcome, group)))
    same(result, score((prediction, outcome**3 - 7, group)))
    same(result, score((prediction.astype(np.float32), outcome.astype(np.float32), group.astype(np.int8))))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_turning_the_prediction_around_mirrors_the_score(table):
    prediction, outcome, group = table
    result, turned = score(table), score((-prediction, outcome, group))
    np.testing.assert_allclose(turned.score, 1 - result.score, atol=1e-14)
    np.testing.assert_allclose(turned.influence, -result.influence, atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_prediction_and_outcome_change_places_without_ties(table):
    rng = np.random.default_rng(len(table[0]))
    one, two = rng.permutation(len(table[0])).astype(float), rng.permutation(len(table[0])).astype(float)
    same(score((one, two, table[2])), score((two, one, table[2])))


@settings(max_examples=60, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(table, random):
    order = list(range(len(table[0])))
    random.shuffle(order)
    straight, shuffled = score(table), score([column[order] for column in table])
    np.testing.assert_array_equal(shuffled.score, straight.score)
    np.testing.assert_array_equal(shuffled.influence, straight.influence[order])


@settings(max_examples=60, deadline=None)
@given(tables())
def test_groups_do_not_touch(table):
    prediction, outcome, group = table
    own = group == 1
    result = score(table)
    others_changed = score((np.where(own, prediction, -prediction), np.where(own, outcome, outcome[::-1]), group))
    alone = score((prediction[own], outcome[own], group[own]))
    for changed, influence in ((others_changed, others_changed.influence[own]), (alone, alone.influence)):
        assert changed.score[1] == result.score[1] or np.isnan([changed.score[1], result.score[1]]).all()
        assert changed.pairs[1] == result.pairs[1]
        np.testing.assert_array_equal(influence, result.influence[own])


@settings(max_examples=60, deadline=None)
@given(tables(outcome_levels=st.just(2)))
def test_two_classes_are_a_binary_outcome(table):
    prediction, outcome, group = table
    scores = np.stack((-prediction, prediction), axis=1)
    result = multiclass_concordance(scores, outcome, [0.0, 1.0], group, N_GROUPS)
    binary = score(table)
    np.testing.assert_allclose(result.score, binary.score, atol=1e-14)
    np.testing.assert_array_equal(result.pairs, binary.pairs)
    np.testing.assert_allclose(result.influence, binary.influence, atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(tables(outcome_levels=st.just(3)), st.permutations([0, 1, 2]))
def test_the_order_of_classes_does_not_count(table, order):
    prediction, outcome, group = table
    scores = np.stack((prediction, prediction[::-1], prediction % 3), axis=1)
    straight = multiclass_concordance(scores, outcome, [0, 1, 2], group, N_GROUPS)
    turned = multiclass_concordance(scores[:, order], outcome, order, group, N_GROUPS)
    np.testing.assert_allclose(turned.score, straight.score, atol=1e-14)
    np.testing.assert_allclose(turned.influence, straight.influence, atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(0, 40)), elements=st.floats(-1, 1)),
    st.integers(1, 6),
)
def test_errors_scale_with_totals_and_ignore_their_sign(totals, n_folds):
    errors = standard_errors(totals, n_folds=n_folds)
    np.testing.assert_array_equal(standard_errors(-totals, n_folds=n_folds), errors)
    np.testing.assert_allclose(standard_errors(4 * totals, n_folds=n_folds), 4 * errors)
    assert (np.isnan(errors) == (np.count_nonzero(totals, axis=1) < 2)).all()
    assert (standard_errors(totals, n_folds=n_folds + 1) >= errors)[~np.isnan(errors)].all()


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.integers(0, 60), elements=st.floats(-0.1, 0.1)), st.floats(0, 1))
def test_an_interval_holds_its_score(totals, value):
    found = interval(value, totals)
    if not np.isnan(found.low):
        assert 0 <= found.low <= value <= found.high <= 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 500), st.integers(1, 100))
def test_totals_keep_the_sum(n_times, length):
    influence = np.random.default_rng(n_times).normal(size=n_times)
    blocks = assign_time_blocks(n_times, length)
    totals = block_totals(influence, blocks, n_times // length + 1)
    assert totals.sum() == pytest.approx(influence.sum(), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 80), max_size=60), st.integers(1, 12), st.data())
def test_there_are_no_more_events_than_windows_and_times(times, horizon, data):
    is_event = np.array(data.draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times))), bool)
    events = non_overlapping_events(times, is_event, horizon)
    assert events <= len({t for t, e in zip(times, is_event, strict=True) if e})
    assert events <= 80 // horizon + 1
    assert non_overlapping_events(times, is_event, horizon + 1) <= events
    assert effective_windows(times, horizon) <= len(times) / horizon


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ESTIMATES, ERRORS), max_size=8), st.floats(0, 0.1), st.floats(1, 100))
def test_posteriors_are_probabilities_whatever_was_measured(members, common_se, degrees):
    estimate, error = np.array(members).reshape(-1, 2).T
    found = group_posterior(estimate, error, common_se=common_se, degrees=degrees)
    for p in (found.p_above, found.p_better, found.p_group_above, found.predictive_p_above, found.predictive_p_better):
        assert (np.asarray(p) >= 0).all()
        assert (np.asarray(p) <= 1 + 1e-9).all()
    assert (found.p_better >= found.p_above - 1e-12).all()
    assert np.isfinite(found.mean).all()
    low, high = np.nanmin(np.append(estimate, 0.5)), np.nanmax(np.append(estimate, 0.5))
    known = np.isfinite(estimate) & (error > 0)
    if common_se == 0 and known.all() and known.any():
        assert low - 0.01 <= found.mean.min()
        assert found.mean.max() <= high + 0.01
