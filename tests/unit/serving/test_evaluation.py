"""The comparison on the holdout: scores, blocks of dates, paired differences."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainroute.config.schema import TargetConfig
from trainroute.metrics import concordance
from trainroute.panel.columns import TargetColumn
from trainroute.panel.reading import SymbolFrame
from trainroute.records.vocabulary import Task
from trainroute.serving.evaluation import LOCAL, POOLED, ROUTED, TargetEvaluator
from trainroute.serving.rows import AskedRows

MINUTE = 60_000_000
COLUMN = TargetColumn(name="fwd_ret_1m", source="fwd_ret_1m", settings=TargetConfig(), horizon_us=MINUTE)


def _rows(symbol: str, label: NDArray[np.float64], *, since: int = 0) -> AskedRows:
    frame = SymbolFrame(
        symbol=symbol,
        time=np.arange(len(label)) * MINUTE,
        features=np.empty((len(label), 0), np.float32),
        sources={"fwd_ret_1m": label.astype(np.float32)},
        label_ends={},
    )
    return AskedRows(frame=frame, names=(), timeline=None, since=since * MINUTE)


def _evaluator(start: int = 0) -> TargetEvaluator:
    return TargetEvaluator(column=COLUMN, interval_us=MINUTE, holdout_start=start * MINUTE)


def _predictions(label: NDArray[np.float64], rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    pooled, local = (label + 2.0 * rng.normal(size=len(label)) for _ in range(2))
    return {ROUTED: (pooled + local) / 2, POOLED: pooled, LOCAL: local}


def test_a_blend_of_two_equal_and_independent_models_is_found_to_be_better() -> None:
    rng, evaluator = np.random.default_rng(0), _evaluator()
    for symbol in "AB":
        label = rng.normal(size=1500)
        evaluator.add(_rows(symbol, label), Task.REGRESSION, (), _predictions(label, rng))
    both = evaluator.result().both
    assert both is not None
    assert (both.symbols, both.rows) == (2, 3000)
    for side in (both.blend, both.pooled, both.local):
        assert side.low is not None
        assert side.low > 0.5
    for gap in (both.blend_minus_pooled, both.blend_minus_local):
        assert gap is not None
        assert gap.low is not None
        assert gap.low > 0.0, "paired on the same rows"
        assert gap.high < 0.15


def test_intervals_cover_what_has_no_skill() -> None:
    covered = 0
    for seed in range(40):
        rng, evaluator = np.random.default_rng(seed), _evaluator()
        predictions = {name: rng.normal(size=600) for name in (ROUTED, POOLED, LOCAL)}
        evaluator.add(_rows("A", rng.normal(size=600)), Task.REGRESSION, (), predictions)
        found = evaluator.result()
        gap = found.both.blend_minus_pooled
        covered += (found.routed.low < 0.5 < found.routed.high) + (gap.low < 0.0 < gap.high)
    assert covered >= 70, "95 % of 80"


def test_only_labelled_rows_of_the_holdout_count() -> None:
    rng, evaluator = np.random.default_rng(1), _evaluator(start=100)
    label = rng.normal(size=400)
    label[-30:] = np.nan
    prediction = rng.normal(size=400)
    prediction[:100] = label[:100]  # what training has seen is known by heart
    prediction[200] = np.nan
    evaluator.add(_rows("A", label), Task.REGRESSION, (), {ROUTED: prediction})
    found = evaluator.result()
    assert found.both is None
    assert found.rows == 400 - 100 - 30 - 1
    known = np.r_[100:200, 201:370]
    assert found.routed.score == pytest.approx(concordance(prediction[known], label[known]))
    assert found.routed.symbols == {"A": found.routed.score}


def test_rows_that_were_not_asked_for_do_not_count() -> None:
    rng, evaluator = np.random.default_rng(2), _evaluator()
    label, prediction = rng.normal(size=300), rng.normal(size=300)
    evaluator.add(_rows("A", label, since=200), Task.REGRESSION, (), {ROUTED: prediction[200:]})
    assert evaluator.result().routed.score == pytest.approx(concordance(prediction[200:], label[200:]))


def test_without_labels_nothing_is_measurable() -> None:
    evaluator = _evaluator()
    label = np.full(50, np.nan)
    evaluator.add(_rows("A", label), Task.REGRESSION, (), dict.fromkeys((ROUTED, POOLED, LOCAL), np.zeros(50)))
    found = evaluator.result()
    assert (found.rows, found.routed.score, found.both.blend_minus_local) == (0, None, None)
    assert _evaluator().result().routed.score is None
