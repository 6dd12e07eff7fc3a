from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from trainroute.errors import TrainingError
from trainroute.families import FittedModel, Rows
from trainroute.panel import Panel, WalkForward
from trainroute.train.rows import Wanted, take_features
from trainroute.train.scoring import score_holdout
from trainroute.train.store import PanelStore, write_store


class FirstFeature(FittedModel):
    """Predicts the first feature, plus something that depends on the symbol alone."""

    def __init__(self, n_outputs: int = 1) -> None:
        self.n_outputs = n_outputs

    @property
    def files(self) -> tuple[str, ...]:
        return ()

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        value = np.nan_to_num(rows.features[:, 0].astype(np.float64)) + 100.0 * rows.symbol + 0 * threads
        return value if self.n_outputs == 1 else np.stack([-value, 0 * value, value], axis=1)

    def save(self, folder: Path) -> None:
        raise NotImplementedError(folder)


class Broken(FirstFeature):
    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        prediction = super().predict(rows, threads=threads)
        prediction[:2] = np.nan
        return prediction


@pytest.fixture
def store(make_panel: Callable[..., Panel], tmp_path: Path) -> PanelStore:
    panel = make_panel(starts={"S2": 720})
    split = WalkForward.build(panel.timestamps, n_blocks=8, initial_train_blocks=3, holdout_fraction=0.2, embargo_us=0)
    return write_store(panel, split, tmp_path)


def _holdout(store: PanelStore, target: int) -> dict[str, NDArray[np.intp]]:
    found = {}
    for symbol in store.index.symbols:
        own = store.rows_of(symbol)
        late = store.timestamps[store.time_index[own]] >= store.split.boundaries[-1]
        found[symbol] = own.start + np.flatnonzero(late & ~np.isnan(store.targets[own, target]))
    return found


def _wanted(store: PanelStore, target: int, *, history: bool = False) -> Wanted:
    return Wanted(features=("f0",), target=store.index.targets[target], history=history)


def _check_mean(scores: Mapping[str, float], pairs: Mapping[str, float], rows: Mapping[str, int], score: float) -> None:
    weights = [pairs[symbol] / rows[symbol] for symbol in scores]
    assert score == pytest.approx(np.average(list(scores.values()), weights=weights))


@pytest.mark.parametrize("target", [0, 2])
def test_pairs_are_formed_within_a_symbol_and_symbols_weigh_by_effective_pairs(store: PanelStore, target: int) -> None:
    rows = _holdout(store, target)
    found = score_holdout(store, FirstFeature(), _wanted(store, target), np.concatenate([*rows.values()]), threads=1)
    scores, pairs = {}, {}
    for symbol, own in rows.items():
        value, outcome = np.nan_to_num(store.features[own, 0]), store.targets[own, target]
        good = [
            (1.0 if (value[i] - value[j]) * (outcome[i] - outcome[j]) > 0 else 0.5 * (value[i] == value[j]))
            for i, j in combinations(range(len(own)), 2)
            if outcome[i] != outcome[j]
        ]
        scores[symbol], pairs[symbol] = np.mean(good), len(good)
        assert found.symbols[symbol].score == pytest.approx(scores[symbol])
        assert found.symbols[symbol].pairs == len(good)
    _check_mean(scores, pairs, {symbol: len(own) for symbol, own in rows.items()}, found.score)
    assert found.rows == sum(len(own) for own in rows.values())
    assert found.start == store.split.boundaries[-1]


def test_multiclass_is_the_mean_one_against_one_auc_of_each_symbol(store: PanelStore) -> None:
    rows = _holdout(store, 1)
    found = score_holdout(store, FirstFeature(3), _wanted(store, 1), np.concatenate([*rows.values()]), threads=1)
    own = rows["S0"]
    scores = FirstFeature(3).predict(take_features(store, own, ("f0",)))
    pairs = []
    for a, b in combinations(range(3), 2):
        of_pair = np.isin(store.targets[own, 1], [a - 1.0, b - 1.0])
        label = store.targets[own, 1][of_pair]
        pairs.append(roc_auc_score(label == a - 1.0, scores[of_pair, a]))
        pairs.append(roc_auc_score(label == b - 1.0, scores[of_pair, b]))
    assert found.symbols["S0"].score == pytest.approx(np.mean(pairs))


def test_without_comparable_pairs_there_is_no_score(store: PanelStore) -> None:
    own = _holdout(store, 0)["S0"]
    ones = own[store.targets[own, 0] == 1.0]
    found = score_holdout(store, FirstFeature(), _wanted(store, 0), ones, threads=1)
    assert found.score is None
    assert found.symbols["S0"].score is None
    assert found.symbols["S0"].rows == found.rows == len(ones)
    assert score_holdout(store, FirstFeature(), _wanted(store, 0), ones[:0], threads=1).rows == 0


def test_a_model_that_predicts_no_numbers_is_refused(store: PanelStore) -> None:
    own = _holdout(store, 0)["S0"]
    with pytest.raises(TrainingError, match=f"NaN or infinity on 2 of {len(own)} holdout rows"):
        score_holdout(store, Broken(), _wanted(store, 0), own, threads=1)


def test_a_model_that_reads_history_is_shown_every_holdout_row_and_none_before(store: PanelStore) -> None:
    class RowsSoFar(FirstFeature):
        def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:  # noqa: ARG002 - the interface
            shown.append(rows)
            return np.arange(len(rows), dtype=np.float64)

    shown: list[Rows] = []
    sparse = {symbol: own[::7] for symbol, own in _holdout(store, 0).items()}
    chosen = np.concatenate([*sparse.values()])
    found = score_holdout(store, RowsSoFar(), _wanted(store, 0, history=True), chosen, threads=1)
    assert found.rows == len(chosen)
    (given,) = shown
    starts = store.timestamps[given.time]
    assert (starts >= store.split.boundaries[-1]).all()
    for number, (symbol, own) in enumerate(sparse.items()):
        late = store.timestamps[store.time_index[store.rows_of(symbol)]] >= store.split.boundaries[-1]
        first = store.rows_of(symbol).start + int(late.argmax())
        assert (given.symbol == number).sum() == own[-1] - first + 1
