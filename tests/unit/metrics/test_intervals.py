import numpy as np
import pytest
from scipy.stats import t as student_t

from trainroute.metrics import (
    MIN_BLOCKS,
    assign_time_blocks,
    block_length,
    block_totals,
    degrees_of_freedom,
    interval,
    standard_errors,
)


def centred(rng, n_out, n_blocks, n_folds=1):
    """Block totals as influence gives them: they sum to 0 in each fold."""
    totals = rng.normal(size=(n_out, n_folds, n_blocks // n_folds)) / np.sqrt(n_blocks)
    error = totals.sum(axis=(1, 2))
    return error, (totals - totals.mean(axis=2, keepdims=True)).reshape(n_out, n_blocks)


class TestBlocks:
    def test_time_blocks_are_contiguous_whole_and_at_least_as_long_as_asked(self):
        for n_times, length in ((100, 7), (21, 7), (5, 7), (1, 1), (97, 1)):
            blocks = assign_time_blocks(n_times, length)
            sizes = np.bincount(blocks)
            assert (np.diff(blocks) >= 0).all()
            assert (sizes[:-1] == length).all()
            assert len(sizes) == max(n_times // length, 1)
            assert sizes[-1] < 2 * length
        assert assign_time_blocks(0, 5).shape == (0,)

    def test_totals_are_sums_by_row_and_block(self):
        rng = np.random.default_rng(0)
        influence, block, row = rng.normal(size=200), rng.integers(0, 6, 200), rng.integers(0, 3, 200)
        totals = block_totals(influence, block, 7, row, 4)
        assert totals.shape == (4, 7)
        for r in range(4):
            for b in range(7):
                assert totals[r, b] == pytest.approx(influence[(row == r) & (block == b)].sum(), abs=1e-12)
        np.testing.assert_allclose(block_totals(influence, block, 7), totals.sum(axis=0, keepdims=True))

    def test_totals_refuse_what_is_out_of_range(self):
        with pytest.raises(ValueError, match=r"time_block must be in 0\.\.1; got 0\.\.2"):
            block_totals([1.0, 1.0], [0, 2], 2)
        with pytest.raises(ValueError, match=r"row_of must be in 0\.\.0; got -1\.\.0"):
            block_totals([1.0, 1.0], [0, 1], 2, [0, -1], 1)
        assert (block_totals([], [], 3) == 0).all()


class TestBlockLength:
    def test_is_at_least_three_horizons(self):
        noise = np.random.default_rng(0).normal(size=2000)
        assert block_length(noise, 20) == 60
        assert block_length(np.zeros(100), 5) == 15
        assert block_length(np.empty(0), 1) == 3
        assert block_length(noise[:10], 0) == 1

    def test_the_horizon_is_never_cut(self):
        assert block_length(np.random.default_rng(0).normal(size=100), 50) == 150

    def test_grows_with_dependence_as_the_theory_says(self, benchmark_module):
        rng = np.random.default_rng(1)
        for persistence in (0.5, 0.8, 0.9):
            series = benchmark_module.autoregressive(rng, persistence, (20, 20_000))
            found = np.median([block_length(row, 1) for row in series])
            optimal = (6 * (persistence / (1 - persistence**2)) ** 2 * 20_000) ** (1 / 3)
            assert found == pytest.approx(2 * optimal, rel=0.2)

    def test_independent_values_need_no_long_blocks(self):
        rng = np.random.default_rng(2)
        assert np.median([block_length(rng.normal(size=3000), 1) for _ in range(20)]) <= 10

    def test_dependence_is_capped_so_that_an_interval_remains(self):
        walk = np.cumsum(np.random.default_rng(3).normal(size=3000))
        assert block_length(walk, 1) == 3000 // MIN_BLOCKS

    def test_does_not_depend_on_the_unit(self):
        series = np.convolve(np.random.default_rng(4).normal(size=3000), np.ones(9))
        assert block_length(series, 1) == block_length(series * 1e-7, 1) == block_length(series + 3.0, 1)

    def test_refuses_what_is_not_finite(self):
        with pytest.raises(ValueError, match="must be finite"):
            block_length([0.0, np.nan, 1.0], 1)


class TestStandardErrors:
    def test_by_hand(self):
        totals = np.array([[1.0, 1.0, -1.0, -1.0]])
        # Half of 1² + 2² + 0² + 2² + 1², times 4 / (4 - 2 x 1); the four totals are equal in size.
        assert standard_errors(totals)[0] == pytest.approx(np.sqrt(5.0 * 2))
        assert degrees_of_freedom(totals)[0] == 2.0

    def test_estimates_the_error_of_independent_blocks(self):
        error, totals = centred(np.random.default_rng(0), 4000, 40)
        assert np.mean(standard_errors(totals) ** 2) == pytest.approx(error.var(), rel=0.06)

    @pytest.mark.parametrize("n_folds", [2, 5])
    def test_gives_back_what_centring_in_folds_took_away(self, n_folds):
        error, totals = centred(np.random.default_rng(1), 4000, 40, n_folds)
        corrected = np.mean(standard_errors(totals, n_folds=n_folds) ** 2)
        assert corrected == pytest.approx(error.var(), rel=0.08)
        assert np.mean(standard_errors(totals) ** 2) < (1 - n_folds / 50) * corrected

    def test_counts_dependence_across_the_border_of_neighbours(self):
        rng = np.random.default_rng(2)
        noise = rng.normal(size=(4000, 41))
        totals = noise[:, 1:] + 0.5 * noise[:, :-1]
        error = totals.sum(axis=1)
        totals -= totals.mean(axis=1, keepdims=True)
        independent = (totals**2).sum(axis=1).mean()
        assert independent < 0.6 * error.var()
        assert 0.7 * error.var() < np.mean(standard_errors(totals) ** 2) < 1.05 * error.var()

    def test_empty_blocks_are_not_counted(self):
        _, totals = centred(np.random.default_rng(3), 1, 20)
        padded = np.hstack((np.zeros((1, 30)), totals, np.zeros((1, 30))))
        assert standard_errors(padded)[0] == pytest.approx(standard_errors(totals)[0], rel=1e-12)
        assert degrees_of_freedom(padded)[0] == pytest.approx(degrees_of_freedom(totals)[0], rel=1e-12)

    def test_no_error_without_two_blocks(self):
        assert np.isnan(standard_errors(np.array([[0.0, 0.0], [0.0, 1.0]]))).all()
        assert standard_errors(np.empty((0, 4))).shape == (0,)
        assert np.isnan(standard_errors(np.empty((2, 0)))).all()

    def test_a_number_of_folds_per_row(self):
        _, totals = centred(np.random.default_rng(4), 2, 30)
        expected = [standard_errors(totals[i : i + 1], n_folds=i + 1)[0] for i in range(2)]
        np.testing.assert_array_equal(standard_errors(totals, n_folds=[1, 2]), expected)

    def test_a_few_large_blocks_leave_few_degrees_of_freedom(self):
        even, uneven = np.tile([1.0, -1.0], 30), np.tile([1e-3, -1e-3], 30)
        uneven[[4, 20, 44]] = [1.0, -0.5, -0.5]
        degrees = degrees_of_freedom(np.stack((even, uneven)))
        assert degrees[0] == pytest.approx(2 / 3 * 60 - 1)
        assert degrees[1] == 2.0

    def test_does_not_depend_on_the_unit(self):
        _, totals = centred(np.random.default_rng(5), 3, 30)
        np.testing.assert_allclose(standard_errors(totals * 1e-100), standard_errors(totals) * 1e-100)
        np.testing.assert_allclose(degrees_of_freedom(totals * 1e-100), degrees_of_freedom(totals))


class TestInterval:
    def test_is_the_t_interval(self):
        _, totals = centred(np.random.default_rng(0), 1, 40)
        totals *= 0.05
        found = interval(0.53, totals[0], n_folds=2)
        reach = student_t.ppf(0.975, degrees_of_freedom(totals, n_folds=2)[0]) * found.se
        assert found.se == standard_errors(totals, n_folds=2)[0]
        assert found.low == pytest.approx(0.53 - reach, abs=1e-12)
        assert found.high == pytest.approx(0.53 + reach, abs=1e-12)
        assert found.n_blocks == 40

    def test_a_higher_level_is_wider(self):
        _, totals = centred(np.random.default_rng(0), 1, 40)
        narrow, wide = (interval(0.5, 0.05 * totals[0], level) for level in (0.9, 0.99))
        assert wide.low < narrow.low < narrow.high < wide.high

    def test_stays_in_the_unit_interval(self):
        _, totals = centred(np.random.default_rng(0), 1, 40)
        assert interval(0.95, totals[0]).high == 1.0
        assert interval(0.05, totals[0]).low == 0.0

    @pytest.mark.parametrize(("blocks", "known"), [(MIN_BLOCKS - 1, False), (MIN_BLOCKS, True)])
    def test_too_few_blocks_give_no_interval(self, blocks, known):
        totals = np.append(np.tile([1.0, -1.0], 20)[:blocks], np.zeros(50)) / 100
        found = interval(0.5, totals)
        assert found.n_blocks == blocks
        assert np.isfinite(found.se)
        assert (np.isfinite(found.low), np.isfinite(found.high)) == (known, known)

    def test_no_score_no_interval(self):
        assert np.isnan(interval(np.nan, np.tile([1.0, -1.0], 20)).low)


# Of 300 intervals with a true coverage of 95 %, fewer than 91 % or more than 98.7 % hold the truth once in 2,000 runs.
@pytest.mark.parametrize("case", [0, 3, 6, 10, 12, 17])
def test_intervals_hold_the_truth(benchmark_module, case):
    found = benchmark_module.coverage(benchmark_module.CASES[case], replicates=300, seed=case)
    assert found.without == 0
    assert 0.91 <= found.covered <= 0.987
    assert found.width < 1.25
