"""What is predicted is what training scored, by the routes of the plan."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from trainroute import pipeline
from trainroute.metrics import grouped_concordance, multiclass_concordance
from trainroute.train import read_manifest

MINUTE = 60_000_000
N_TIMES, N_HOLDOUT = 900, 90
FAMILIES = ("LightGBM", "XGBoost", "Ensemble", "GMMRegime", "LSTM")
CLASSES = (-1.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def found(trained) -> pipeline.Predictions:
    return trained.predict(output=trained.path / "first.parquet")


@pytest.fixture(scope="module")
def frame(found: pipeline.Predictions) -> pl.DataFrame:
    return found.frame()


def _pair(frame: pl.DataFrame, target: str, symbol: str) -> pl.DataFrame:
    return frame.filter(pl.col("target") == target, pl.col("symbol") == symbol)


def _labels(place, symbol: str, target: str) -> pl.DataFrame:
    return pl.read_parquet(place.data / f"{symbol}.parquet").select("ts", label=target)


def _score(place, frame: pl.DataFrame, target: str, symbol: str) -> float:
    """Score predictions as training does, from the file alone."""
    own = _pair(frame, target, symbol).join(_labels(place, symbol, target), on="ts").drop_nulls("label").sort("ts")
    label = own["label"].cast(pl.Float32).to_numpy()
    group = np.zeros(len(own), dtype=np.int64)
    if own["class"].null_count():
        return float(grouped_concordance(own["prediction"].to_numpy(), label, group, 1).score[0])
    n = len(CLASSES)
    columns = own.sort("ts", "class")["prediction"].to_numpy().reshape(-1, n)
    return float(multiclass_concordance(columns, label[::n], np.array(CLASSES), group[::n], 1).score[0])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("symbol", "weights", "job"), [("A", "cs", "cs"), ("B", "plan", "cs"), ("C", "plan", "sym")])
def test_predictions_on_the_holdout_are_those_that_training_scored(
    trained, tmp_path: Path, family: str, symbol: str, weights: str, job: str
) -> None:
    target = "y_up_5m"
    folder = trained.results / "models" / (f"cs_{target}" if job == "cs" else f"sym_{target}_{symbol}") / family
    given = trained.predict(
        targets=[target], families=[family], weights=weights, symbols=[symbol], output=tmp_path / "x.parquet"
    ).frame()
    expected = read_manifest(folder).holdout.symbols[symbol]
    assert _score(trained, given, target, symbol) == expected.score, "to the last bit"
    labelled = given.join(_labels(trained, symbol, target), on=["ts"]).drop_nulls("label")
    assert len(labelled) == expected.rows


@pytest.mark.parametrize(("target", "symbol"), [("y_class_5m", "B"), ("fwd_ret_5m", "B"), ("fwd_ret_5m", "C")])
def test_so_are_those_of_other_tasks(trained, frame: pl.DataFrame, target: str, symbol: str) -> None:
    job = f"cs_{target}" if symbol == "B" else f"sym_{target}_{symbol}"
    manifest = read_manifest(trained.results / "models" / job / "LightGBM")
    assert _score(trained, frame, target, symbol) == manifest.holdout.symbols[symbol].score


def test_each_symbol_is_answered_as_the_plan_routes_it(frame: pl.DataFrame) -> None:
    routes = {symbol: set(_pair(frame, "fwd_ret_5m", symbol)["route"]) for symbol in "ABCD"}
    assert routes == {
        "A": {"ROUTE_BOTH"},
        "B": {"ROUTE_CROSS_SECTIONAL"},
        "C": {"ROUTE_SYMBOL_SPECIFIC"},
        "D": {"ROUTE_BLOCKED"},
    }
    models = {symbol: set(_pair(frame, "fwd_ret_5m", symbol)["model"]) for symbol in "ABCD"}
    assert models == {
        "A": {"0.45 × cs_fwd_ret_5m[LightGBM] + 0.55 × sym_fwd_ret_5m_A[LightGBM]"},
        "B": {"cs_fwd_ret_5m[LightGBM]"},
        "C": {"sym_fwd_ret_5m_C[LightGBM]"},
        "D": {None},
    }


def test_a_blocked_pair_is_null_with_the_reason_of_the_routing_plan(frame: pl.DataFrame, found) -> None:
    blocked = _pair(frame, "y_up_5m", "D")
    assert len(blocked) == N_HOLDOUT
    assert blocked["prediction"].null_count() == N_HOLDOUT
    (reason,) = set(blocked["reason"])
    assert reason.startswith("BLOCKED: no side may train")
    assert sum(found.unanswered.values()) == 3
    assert found.predicted == len(frame) - frame["prediction"].null_count()


def test_a_blocked_pair_asked_for_alone_is_the_same(trained, frame: pl.DataFrame, tmp_path: Path) -> None:
    alone = trained.predict(symbols=["D"], output=tmp_path / "alone.parquet").frame()
    assert alone.equals(frame.filter(pl.col("symbol") == "D"))


def test_a_blend_is_the_weighted_mean_of_the_sides_each_the_mean_of_its_families(trained, tmp_path: Path) -> None:
    def predicted(**options) -> np.ndarray:
        options = {"targets": ["y_up_5m"], "symbols": ["A"], "output": tmp_path / "x.parquet", **options}
        return trained.predict(**options).frame()["prediction"].to_numpy()

    sides = {
        side: np.mean([predicted(families=[family], weights=side) for family in FAMILIES], axis=0)
        for side in ("cs", "local")
    }
    assert not np.allclose(sides["cs"], sides["local"])
    for side, expected in sides.items():
        np.testing.assert_allclose(predicted(weights=side), expected, rtol=1e-12)
    np.testing.assert_allclose(predicted(), 0.45 * sides["cs"] + 0.55 * sides["local"], rtol=1e-12)
    np.testing.assert_allclose(predicted(weights="equal"), (sides["cs"] + sides["local"]) / 2, rtol=1e-12)


def test_the_file_has_its_columns_its_order_and_says_what_made_it(found, frame: pl.DataFrame) -> None:
    assert frame.columns == ["ts", "symbol", "target", "class", "prediction", "route", "model", "reason"]
    assert frame.schema["ts"] == pl.Datetime("us", "UTC")
    assert frame.equals(frame.sort("target", "symbol", "ts", "class"))
    start = frame["ts"].min()
    assert start.timestamp() * 1e6 == (N_TIMES - N_HOLDOUT) * MINUTE, "rows that training has seen are left out"
    said = json.loads(pq.read_schema(found.path).metadata[b"trainroute"])
    assert said == {
        "plan_id": found.plan.metadata.plan_id,
        "weights": "plan",
        "unseen": "cs",
        "since": (N_TIMES - N_HOLDOUT) * MINUTE,
        "holdout_start": (N_TIMES - N_HOLDOUT) * MINUTE,
    }


def test_a_multiclass_target_has_a_row_per_class_and_they_add_up_to_one(frame: pl.DataFrame) -> None:
    own = frame.filter(pl.col("target") == "y_class_5m", pl.col("symbol") != "D")
    per_row = own.group_by("symbol", "ts").agg(pl.col("class").sort(), pl.col("prediction").sum())
    assert per_row["class"].to_list() == [list(CLASSES)] * len(per_row)
    np.testing.assert_allclose(per_row["prediction"].to_numpy(), 1.0, rtol=1e-9)
    assert frame.filter(pl.col("target") != "y_class_5m")["class"].null_count() == len(
        frame.filter(pl.col("target") != "y_class_5m")
    )


def test_labels_need_not_be_there_and_no_other_column_is_read(
    trained, frame: pl.DataFrame, only_features: Callable[..., Path]
) -> None:
    folder = only_features(*"ABCD")
    for path in folder.glob("*.parquet"):
        pl.read_parquet(path).with_columns(note=pl.lit("text"), close=pl.lit(None)).write_parquet(path)
    assert trained.predict(data_dir=folder).frame().equals(frame)


def test_the_rows_of_one_symbol_alone_are_predicted_alike(
    trained, frame: pl.DataFrame, only_features: Callable[..., Path]
) -> None:
    """Also by families that read history: the timeline is that of all symbols in the data, whichever are asked for."""
    one = trained.predict(symbols=["C"]).frame()
    assert one.equals(frame.filter(pl.col("symbol") == "C"))


def test_which_rows_are_asked_for_changes_no_prediction(trained, frame: pl.DataFrame, tmp_path: Path) -> None:
    since = "1970-01-01T14:10"
    later = trained.predict(since=since, output=tmp_path / "later.parquet").frame()
    assert later.equals(frame.filter(pl.col("ts") >= pl.lit(since).str.to_datetime(time_zone="UTC")))
    assert 0 < len(later) < len(frame)


def test_rows_that_training_has_seen_come_only_when_asked_for_with_a_warning(
    trained, frame: pl.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    everything = trained.predict(since="1970-01-01", output=tmp_path / "all.parquet").frame()
    assert "Rows before 1970-01-01T13:30:00+00:00 were seen in training" in caplog.text
    assert everything.filter(pl.col("ts") >= frame["ts"].min()).equals(frame)
    assert len(_pair(everything, "y_up_5m", "A")) == N_TIMES
    early = everything.filter(pl.col("ts") < frame["ts"].min(), pl.col("symbol") != "D")
    assert early["prediction"].null_count() == 0


def test_newer_rows_are_predicted_by_the_same_models(trained, frame: pl.DataFrame, tmp_path: Path) -> None:
    folder = tmp_path / "newer"
    folder.mkdir()
    for symbol in "ABCD":
        old = pl.read_parquet(trained.data / f"{symbol}.parquet").drop("y_up_5m", "y_class_5m", "fwd_ret_5m")
        new = old.head(50).with_columns(ts=old["ts"].max() + pl.duration(minutes=pl.int_range(1, 51)))
        pl.concat([old, new]).write_parquet(folder / f"{symbol}.parquet")
    longer = trained.predict(data_dir=folder).frame()
    assert longer.filter(pl.col("ts") <= frame["ts"].max()).equals(frame)
    assert longer["ts"].n_unique() == N_HOLDOUT + 50


def test_an_unseen_symbol_is_answered_by_the_pooled_model_or_refused(
    trained, frame: pl.DataFrame, only_features: Callable[..., Path]
) -> None:
    folder = only_features("A", "B")
    (folder / "B.parquet").rename(folder / "NEW.parquet")
    served = _pair(trained.predict(data_dir=folder).frame(), "y_up_5m", "NEW")
    assert served["prediction"].equals(_pair(frame, "y_up_5m", "B")["prediction"])
    assert set(served["reason"]) == {"not in the plan: the pooled model answers"}
    refused = _pair(trained.predict(data_dir=folder, unseen="refuse").frame(), "y_up_5m", "NEW")
    assert refused["prediction"].null_count() == len(refused) == N_HOLDOUT
    assert set(refused["reason"]) == {"not in the plan; --unseen refuse"}


def test_two_runs_write_the_same_bytes(found, trained, tmp_path: Path) -> None:
    again = trained.predict(output=tmp_path / "again.parquet")
    assert again.path.read_bytes() == found.path.read_bytes()


def test_evaluated_compares_blend_pooled_and_local_on_the_holdout(trained, frame: pl.DataFrame, tmp_path: Path) -> None:
    found = trained.predict(weights="evaluated", output=tmp_path / "scored.parquet")
    assert found.frame().equals(frame), "nothing is chosen by it"
    written = json.loads((tmp_path / "scored.evaluation.json").read_text())
    assert [entry["target"] for entry in written["targets"]] == ["fwd_ret_5m", "y_class_5m", "y_up_5m"]
    for target in found.evaluation.targets:
        for symbol, score in target.routed.symbols.items():
            assert score == pytest.approx(_score(trained, frame, target.target, symbol), abs=1e-12)
        both = target.both
        assert both.symbols == 1
        assert both.rows == N_HOLDOUT - 5
        assert both.blend.symbols["A"] == target.routed.symbols["A"]
        assert both.blend_minus_pooled.estimate == pytest.approx(both.blend.score - both.pooled.score)
        assert both.blend_minus_local.estimate == pytest.approx(both.blend.score - both.local.score)
    value = found.evaluation.targets[0].both
    for side, job in (("pooled", "cs_fwd_ret_5m"), ("local", "sym_fwd_ret_5m_A")):
        manifest = read_manifest(trained.results / f"models/{job}/LightGBM")
        assert getattr(value, side).symbols["A"] == manifest.holdout.symbols["A"].score
    assert value.blend.low is None, "85 dates in blocks of 15 are too few for an interval"
