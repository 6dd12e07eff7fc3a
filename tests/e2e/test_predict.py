"""`trainroute predict` on real data, as a user types it, after a run from data to models."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from trainroute.plan import load_training_plan
from trainroute.train import read_manifest

pytestmark = pytest.mark.slow

SYMBOLS = ("AAPL", "JPM", "MSFT")


def _cli(place, *arguments: object) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("trainroute")
    return subprocess.run(
        [program, *map(str, arguments)], cwd=place.path, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def predicted(finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    path = tmp_path_factory.mktemp("predicted") / "out.parquet"
    options = ("--families", "LightGBM", "--weights", "evaluated", "--output", path)
    return _cli(finished[0], "predict", "--data-dir", "data", "--symbols", *SYMBOLS, "GE", *options), path


def test_the_command_ends_well_and_prints_the_comparison(predicted) -> None:
    done, path = predicted
    assert done.returncode == 0, done.stderr
    assert "Score on the labelled rows of the holdout" in done.stdout
    assert f"predictions: {path}" in done.stdout
    assert "rows predicted" in done.stdout


def test_every_pair_has_every_row_from_the_holdout_on(finished, predicted) -> None:
    place, result = finished
    frame = pl.read_parquet(predicted[1])
    start = json.loads((predicted[1].with_suffix(".evaluation.json")).read_text())["since"]
    for (target, symbol), own in frame.group_by("target", "symbol"):
        days = pl.read_parquet(place.data / f"symbol={symbol}/{symbol}.parquet")["ts"]
        expected = days.filter(days.dt.epoch("us") >= start).cast(pl.Datetime("us"))
        assert own["ts"].dt.replace_time_zone(None).to_list() == expected.to_list(), (target, symbol)
    assert set(frame["target"]) == set(result.plan.metadata.targets)
    unanswered = frame.filter(pl.col("prediction").is_null())
    assert unanswered["reason"].null_count() == 0
    assert unanswered["model"].null_count() == len(unanswered)


def test_scores_are_those_of_training_to_the_last_bit(finished, predicted) -> None:
    place, _ = finished
    plan = load_training_plan(place.plan)
    evaluation = json.loads(predicted[1].with_suffix(".evaluation.json").read_text())
    compared = 0
    for found in evaluation["targets"]:
        for job in (job for job in plan.jobs if job.target == found["target"]):
            manifest = read_manifest(place.results / "models" / job.job_id / "LightGBM")
            for symbol, scored in manifest.holdout.symbols.items():
                blended = found["both"] is not None and symbol in found["both"]["blend"]["symbols"]
                side = found["both"]["pooled" if job.symbol is None else "local"] if blended else found["routed"]
                assert side["symbols"][symbol] == scored.score, (job.job_id, symbol)
                compared += 1
    assert compared >= len(SYMBOLS)


def test_a_symbol_that_was_not_planned_is_answered_by_the_pool(predicted) -> None:
    frame = pl.read_parquet(predicted[1]).filter(pl.col("symbol") == "GE")
    served = frame.filter(pl.col("prediction").is_not_null())
    assert len(served)
    assert set(served["reason"]) == {"not in the plan: the pooled model answers"}
    assert all(model.startswith("cs_") for model in set(served["model"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--symbols", "APL"), "unknown symbol of the data 'APL'; did you mean 'AAPL'?"),
        (("--training-plan-dir", "nowhere"), "nowhere: no such training plan directory"),
        (("--output-dir", "nowhere"), "no training plan under nowhere"),
        (("--since", "soon"), "--since soon: expected a date or time"),
        (("--output", "data/p.parquet"), "lies in --data-dir data"),
    ],
)
def test_bad_options_are_one_line(
    finished, program, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(finished[0].path)
    ended = program("predict", "--data-dir", "data", *arguments)
    assert ended.code == 2
    assert message in ended.error


def test_without_models_it_says_what_to_do(copied, program) -> None:
    ended = program("predict", "--data-dir", "data")
    assert ended.code == 2
    assert "no model for what was asked" in ended.error
    assert "trainroute train" in ended.error
