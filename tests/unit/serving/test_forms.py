"""Plans without jobs, old plans, long files, names that attack, and what the command prints."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trainroute import pipeline
from trainroute.errors import PlanNotFoundError, UsageError
from trainroute.serving.table import SCHEMA
from trainroute.train import read_manifest

Program = Callable[..., Any]
HOSTILE = ("\x1b[2J", "../../x", "a b", "<b>", "Ω", "con", "x'; --")


@pytest.fixture
def empty(trained, tmp_path: Path) -> Path:
    """The output directory of a plan of which every pair is blocked."""
    table = pl.read_parquet(trained.path / "table.parquet").with_columns(score_shrunk=0.5, p_skill=0.1, p_cs_skill=0.1)
    table.write_parquet(tmp_path / "table.parquet")
    pipeline.route(tmp_path / "table.parquet", output_dir=tmp_path / "results", families=["LightGBM"])
    return tmp_path / "results"


def test_a_plan_without_jobs_gives_a_file_without_rows(trained, empty: Path, tmp_path: Path) -> None:
    found = trained.predict(output_dir=empty, output=tmp_path / "x.parquet", config=None)
    assert (found.rows, found.predicted) == (0, 0)
    assert sum(found.unanswered.values()) == 12
    assert found.frame().schema == pl.Schema(SCHEMA)


def test_with_since_it_gives_null_and_the_reason(trained, empty: Path, tmp_path: Path, program: Program) -> None:
    options = ("--output-dir", empty, "--since", "1970-01-01T14:00", "--output", tmp_path / "x.parquet")
    ended = program("predict", "--data-dir", trained.data, *options)
    assert ended.code == 0
    assert "12 (target, symbol) without a prediction" in ended.out
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame["prediction"].null_count() == len(frame) > 0
    assert frame["reason"].str.starts_with("BLOCKED").all()


def test_without_the_routing_plan_nobody_knows_why(trained, empty: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone/globals"
    alone.mkdir(parents=True)
    (empty / "globals/training_plan").rename(alone / "training_plan")
    found = trained.predict(
        output_dir=tmp_path / "alone", output=tmp_path / "x.parquet", config=None, since="1970-01-01T14:00"
    )
    assert set(found.unanswered) == {"the plan has no job for it, and no routing plan says why"}


def test_names_that_attack_are_data(trained, only_features: Callable[..., Path], program: Program) -> None:
    folder = only_features("A")
    frame = pl.read_parquet(folder / "A.parquet")
    (folder / "A.parquet").unlink()
    pl.concat([frame.with_columns(symbol=pl.lit(name)) for name in HOSTILE]).write_parquet(folder / "long.parquet")
    path = trained.path / "hostile.parquet"
    before = {entry.name for entry in trained.path.iterdir()}
    options = ("--output-dir", trained.results, "--output", path, "--unseen", "refuse", "--targets", "y_up_5m")
    ended = program("predict", "--data-dir", folder, *options)
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out + ended.err
    assert set(pl.read_parquet(path)["symbol"]) == set(HOSTILE)
    assert {entry.name for entry in trained.path.iterdir()} == before | {"hostile.parquet"}
    ended = program("predict", "--data-dir", folder, *options, "--symbols", "\x1b[31mX")
    assert ended.code == 2
    assert "\x1b" not in ended.err


def test_a_long_file_and_csv_give_the_same_predictions(
    trained, only_features: Callable[..., Path], tmp_path: Path
) -> None:
    folder, long, csv = only_features("A", "B"), tmp_path / "long", tmp_path / "csv"
    expected = trained.predict(data_dir=folder, families=["LightGBM"]).frame()
    frame = pl.concat([pl.read_parquet(folder / f"{s}.parquet").with_columns(symbol=pl.lit(s)) for s in "AB"])
    for place in (long, csv):
        place.mkdir()
    frame.sample(fraction=1.0, shuffle=True, seed=0).write_parquet(long / "all.parquet")
    frame.write_csv(csv / "all.csv")
    for place in (long, csv):
        assert trained.predict(data_dir=place, families=["LightGBM"]).frame().equals(expected)


def test_an_old_plan_serves_every_symbol(trained, tmp_path: Path) -> None:
    plan = tmp_path / "results/globals/training_plan"
    plan.mkdir(parents=True)
    job = {"target": "y_up_5m", "symbol": None, "model_families": ["LightGBM"], "priority": 1}
    (plan / "master_training_plan.json").write_text(json.dumps({"metadata": {}, "jobs": [job]}))
    quick = {"training": {"workers": 1, "families": {"LightGBM": {"hyperparameters": {"rounds": 5}}}}}
    assert pipeline.train(trained.data, output_dir=tmp_path / "results", config=quick).exit_code == 0
    found = trained.predict(output_dir=tmp_path / "results", output=tmp_path / "x.parquet", config=quick).frame()
    assert set(found["symbol"]) == set("ABCD")
    assert found["prediction"].null_count() == 0
    assert set(found["model"]) == {"cs_y_up_5m[LightGBM]"}


def test_the_command_prints_the_comparison_and_writes_beside_the_file(trained, program: Program) -> None:
    path = trained.path / "printed.parquet"
    options = ("--output-dir", trained.results, "--output", path, "--weights", "evaluated", "--families", "lightgbm")
    ended = program("predict", "--data-dir", trained.data, *options, "--targets", "fwd_*")
    assert ended.code == 0, ended.err
    for part in ("as routed", "both: blend", "both: pooled", "both: local", "1 (target, symbol) without a prediction"):
        assert part in ended.out
    assert f"evaluation: {trained.path / 'printed.evaluation.json'}" in ended.out
    assert json.loads((trained.path / "printed.evaluation.json").read_text())["schema_version"] == 1


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the streams")
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_training_and_prediction_need_no_open_streams(copied, closed: str) -> None:
    def ended(*arguments: object) -> int:
        command = ["sh", "-c", f'exec "$0" "$@" {closed}', Path(sys.executable).with_name("trainroute")]
        options = ("--data-dir", copied.data, "--output-dir", copied.results, "--families", "LightGBM")
        done = subprocess.run([*map(str, (*command, *arguments, *options))], capture_output=True, check=False)
        return done.returncode

    model, path = copied.results / "models/sym_y_up_5m_C/LightGBM", copied.path / "closed.parquet"
    shutil.rmtree(model)
    assert ended("train", "--job", "sym_y_up_5m_C") == 0
    assert read_manifest(model).job_id == "sym_y_up_5m_C"
    assert ended("predict", "--output", path) == 0
    assert len(pl.read_parquet(path))


def test_a_tampered_model_ends_the_command_with_one_line(copied, program: Program) -> None:
    path = copied.results / "models/cs_fwd_ret_5m/LightGBM/model.txt"
    path.write_text(path.read_text().replace("tree", "bush", 1))
    ended = program("predict", "--data-dir", copied.data, "--output-dir", copied.results)
    assert ended.code == 2
    assert ended.error.startswith(f"{path}: missing, or not the file that training wrote")


def test_models_that_were_trained_without_a_plan(trained, tmp_path: Path) -> None:
    quick = {"training": {"workers": 1, "families": {"LightGBM": {"hyperparameters": {"rounds": 5}}}}}
    options: dict[str, Any] = {"output_dir": tmp_path / "results", "config": quick, "no_training_plan": True}
    families, symbols = ["LightGBM"], ["A", "B"]
    for targets in (["y_up_5m"], ["fwd_ret_5m"]):
        pipeline.train(trained.data, symbols=symbols, targets=targets, families=families, **options)
    with pytest.raises(PlanNotFoundError, match=r"no training plan under .*--no-training-plan for models"):
        trained.predict(**{**options, "no_training_plan": False})
    with pytest.raises(UsageError, match="were not trained together; choose with --targets"):
        trained.predict(**options)
    with pytest.raises(UsageError, match="exclude each other"):
        trained.predict(**options, training_plan_dir=tmp_path)
    found = trained.predict(**options, targets=["y_up_5m"], output=tmp_path / "x.parquet").frame()
    assert found["prediction"].null_count() == 0
    reasons = dict(found.group_by("symbol").agg(pl.col("reason").first()).iter_rows())
    unseen = "not in the plan: the pooled model answers"
    assert reasons == {"A": None, "B": None, "C": unseen, "D": unseen}


def test_without_a_pooled_model_there_is_nothing_to_ask(trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no pooled model; train with 'trainroute train --no-training-plan'"):
        trained.predict(output_dir=tmp_path, no_training_plan=True)
