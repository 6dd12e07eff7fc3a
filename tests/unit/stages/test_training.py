"""Training by plans that leave something to the data: legacy ones, those of `route`, and those without jobs."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from trainroute import pipeline
from trainroute.config import Config
from trainroute.errors import UnknownNameError
from trainroute.plan import load_training_plan
from trainroute.train import read_manifest
from trainroute.train.ledger import Ledger

QUICK = {"hyperparameters": {"rounds": 5, "rounds_without_validation": 5}}
CONFIG = Config.model_validate({"training": {"workers": 1, "families": {"LightGBM": QUICK}}})
MINUTE = 60_000_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three symbols of 800 minutes; the label follows ``f0`` with much noise."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number, symbol in enumerate("ABC"):
        rng = np.random.default_rng(number)
        columns: dict[str, Any] = {f"f{k}": rng.normal(size=800) for k in range(3)}
        label = (0.7 * columns["f0"] + rng.normal(size=800) > 0).astype(np.int8)
        time = pl.Series(np.arange(800) * MINUTE).cast(pl.Datetime("us", "UTC"))
        pl.DataFrame({"ts": time, **columns, "y_up_1m": label}).write_parquet(folder / f"{symbol}.parquet")
    return folder


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    """A legacy plan with a pooled and a local job."""
    jobs = [
        {"target": "y_up_1m", "symbol": symbol, "model_families": ["LightGBM"], "priority": 1} for symbol in (None, "A")
    ]
    folder = tmp_path / "results/globals/training_plan"
    folder.mkdir(parents=True)
    (folder / "master_training_plan.json").write_text(json.dumps({"metadata": {}, "jobs": jobs}))
    return tmp_path / "results"


@pytest.fixture
def routed(tmp_path: Path) -> Callable[..., Path]:
    """Route a table of one's own."""

    def run(score: float) -> Path:
        rows = [("y_up_1m", symbol, score, 8000) for symbol in (None, "A", "B")]
        table = pl.DataFrame(rows, schema=["target", "symbol", "score", "sample_size"], orient="row")
        table.write_csv(tmp_path / "mine.csv")
        pipeline.route(tmp_path / "mine.csv", output_dir=tmp_path / "results", families=["LightGBM"], config=CONFIG)
        return tmp_path / "results"

    return run


def test_a_pooled_job_of_a_legacy_plan_trains_on_and_serves_all_symbols(data: Path, legacy: Path) -> None:
    result = pipeline.train(data, output_dir=legacy, config=CONFIG)
    assert result.exit_code == 0
    assert result.outcome is not None
    assert {row.job_id for row in result.outcome.results} == {"cs_y_up_1m", "sym_y_up_1m_A"}
    manifest = read_manifest(legacy / "models/cs_y_up_1m/LightGBM")
    assert manifest.training_symbols == tuple(manifest.holdout.symbols) == ("A", "B", "C")
    assert manifest.window.rows > 2 * read_manifest(legacy / "models/sym_y_up_1m_A/LightGBM").window.rows


def test_a_symbol_selects_the_pooled_job_of_a_legacy_plan(data: Path, legacy: Path) -> None:
    result = pipeline.train(data, output_dir=legacy, symbols=["B"], config=CONFIG)
    assert result.outcome is not None
    assert [row.job_id for row in result.outcome.results] == ["cs_y_up_1m"]
    assert read_manifest(legacy / "models/cs_y_up_1m/LightGBM").training_symbols == ("A", "B", "C")


def test_a_plan_of_route_keeps_its_identity_and_the_manifest_names_the_features(
    data: Path, routed: Callable[..., Path]
) -> None:
    output = routed(0.65)
    plan_id = load_training_plan(output / "globals/training_plan").metadata.plan_id
    result = pipeline.train(data, output_dir=output, config=CONFIG)
    assert result.exit_code == 0
    assert result.outcome is not None
    assert result.outcome.report.plan_id == result.plan.metadata.plan_id == plan_id
    manifest = read_manifest(output / "models/cs_y_up_1m/LightGBM")
    assert manifest.plan_id == plan_id
    assert manifest.features == ("f0", "f1", "f2")
    assert manifest.feature_set_id
    with Ledger(result.outcome.ledger_path, plan_id) as ledger:
        assert ledger.results() == result.outcome.results


def test_a_plan_without_jobs_says_why_without_reading_data(
    tmp_path: Path, routed: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    output = routed(0.5)
    empty = tmp_path / "empty"
    empty.mkdir()
    caplog.set_level(logging.INFO, logger="trainroute")
    result = pipeline.train(empty, output_dir=output, config=CONFIG)
    assert result.exit_code == 0
    assert result.outcome is not None
    assert result.outcome.nothing_to_train == "nothing to train: 2 of 2 blocked, 2 below the score minimum"
    assert "Training plan filter applied: 1 → 0 targets" in caplog.messages
    assert (output / "globals/training_report.json").is_file()


def test_a_table_without_rows_of_symbols_is_warned_of_and_trains_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "pooled.csv"
    table.write_text("target,symbol,score,sample_size\ny_up_1m,,0.6,9000\n")
    pipeline.route(table, output_dir=tmp_path / "out", config=CONFIG)
    assert "no symbol has a row for y_up_1m, so nothing is routed there; add a row per symbol" in caplog.messages
    (tmp_path / "data").mkdir()
    result = pipeline.train(tmp_path / "data", output_dir=tmp_path / "out", config=CONFIG)
    assert result.outcome is not None
    assert (result.outcome.nothing_to_train or "").startswith("nothing to train: the plan has no (target, symbol)")


def test_names_are_checked_before_the_filter_is_said_to_be_applied(
    data: Path, routed: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    output = routed(0.65)
    caplog.set_level(logging.INFO, logger="trainroute")
    with pytest.raises(UnknownNameError, match="y_down"):
        pipeline.train(data, output_dir=output, targets=["y_down"], config=CONFIG)
    assert "filter applied" not in caplog.text
