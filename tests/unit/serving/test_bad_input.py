"""What cannot be predicted ends in one line, or in null with the reason; nothing is guessed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from trainroute.config import Config
from trainroute.errors import (
    ConfigError,
    DataError,
    EditedPlanError,
    MissingLibraryError,
    PlanNotFoundError,
    StalePlanError,
    TrainingError,
    UnknownNameError,
    UsageError,
)
from trainroute.families import FAMILIES
from trainroute.records.artifacts import read_json_artifact, write_json_artifact

JOB = "models/cs_y_up_5m/LightGBM"


def _changed(place, folder: str, **changes: object) -> None:
    """Change a manifest as somebody would who knows how to write its hash."""
    path = place.results / folder / "manifest.json"
    write_json_artifact(path, {**read_json_artifact(path), **changes})


def test_without_a_plan(copied) -> None:
    shutil.rmtree(copied.results / "globals/training_plan")
    with pytest.raises(PlanNotFoundError, match=r"no training plan under .*; 'trainroute run' writes one"):
        copied.predict()


def test_without_any_model(copied) -> None:
    shutil.rmtree(copied.results / "models")
    with pytest.raises(UsageError, match=r"no model for what was asked, e.g. cs_.*; train with 'trainroute train'"):
        copied.predict()
    with pytest.raises(UsageError, match=r"no model of the plan's \d+ jobs; train with 'trainroute train'"):
        copied.predict(symbols=["D"])
    assert not (copied.path / "out.parquet").exists()


def test_one_job_without_a_model_is_null_with_the_reason(copied) -> None:
    shutil.rmtree(copied.results / "models/sym_y_up_5m_C")
    shutil.rmtree(copied.results / "models/sym_y_up_5m_A")
    frame = copied.predict(targets=["y_up_5m"], families=["LightGBM"]).frame()
    alone = frame.filter(pl.col("symbol") == "C")
    assert alone["prediction"].null_count() == len(alone) > 0
    why = "no model of sym_y_up_5m_C: LightGBM has no model"
    assert alone["reason"][0].startswith(why)
    half = frame.filter(pl.col("symbol") == "A")
    assert half["prediction"].null_count() == 0
    assert half["model"][0] == "cs_y_up_5m[LightGBM]"
    assert half["reason"][0].startswith("no model of sym_y_up_5m_A: LightGBM has no model")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": ["AA"]}, "unknown symbol of the data 'AA'; did you mean 'A'"),
        ({"targets": ["y_up_5n"]}, "unknown target of this plan 'y_up_5n'; did you mean 'y_up_5m'"),
        ({"families": ["LightGMB"]}, "unknown model family 'LightGMB'; did you mean 'LightGBM'"),
        ({"symbols": ["../../etc/passwd"]}, "unknown symbol of the data '../../etc/passwd'"),
        ({"targets": [""]}, "unknown target of this plan ''"),
    ],
)
def test_an_unknown_name(trained, options: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        trained.predict(**options)
    assert message in str(error.value)


def test_a_missing_column_names_file_column_and_model(trained, only_features: Callable[..., Path]) -> None:
    folder = only_features("A", "B")
    pl.read_parquet(folder / "B.parquet").drop("f2").write_parquet(folder / "B.parquet")
    with pytest.raises(DataError, match=r"B.parquet: column 'f2' is missing, which the model cs_\S+ × LightGBM reads"):
        trained.predict(data_dir=folder)


def test_a_column_of_text_names_file_and_column(trained, only_features: Callable[..., Path]) -> None:
    folder = only_features("A")
    pl.read_parquet(folder / "A.parquet").with_columns(pl.col("f1").cast(pl.String)).write_parquet(folder / "A.parquet")
    with pytest.raises(DataError, match=r"A.parquet: column 'f1' has type String; the model .* reads numbers"):
        trained.predict(data_dir=folder)


def test_text_in_a_csv_column_and_an_empty_one(trained, only_features: Callable[..., Path], tmp_path: Path) -> None:
    folder, csv = only_features("B"), tmp_path / "csv"
    csv.mkdir()
    frame = pl.read_parquet(folder / "B.parquet")
    frame.with_columns(f1=pl.lit(None, pl.Float64)).write_csv(csv / "B.csv")
    assert trained.predict(data_dir=csv).predicted > 0, "a feature that is unknown everywhere is missing values"
    frame.with_columns(f1=pl.lit("high")).write_csv(csv / "B.csv")
    with pytest.raises(DataError, match=r"B.csv: .*f1"):
        trained.predict(data_dir=csv)


def test_infinite_values_name_the_column(trained, only_features: Callable[..., Path]) -> None:
    folder = only_features("A")
    pl.read_parquet(folder / "A.parquet").with_columns(f1=pl.lit(float("inf"))).write_parquet(folder / "A.parquet")
    with pytest.raises(DataError, match="column 'f1' of symbol 'A' is infinite"):
        trained.predict(data_dir=folder)


def test_only_rows_that_training_has_seen(trained, only_features: Callable[..., Path]) -> None:
    folder = only_features("A")
    pl.read_parquet(folder / "A.parquet").head(300).write_parquet(folder / "A.parquet")
    with pytest.raises(DataError, match=r"no row on or after 1970-01-01T13:30:00.*earlier --since"):
        trained.predict(data_dir=folder)
    assert trained.predict(data_dir=folder, since="1970-01-01").predicted > 0


def test_labels_of_another_class_list(copied) -> None:
    path = copied.data / "B.parquet"
    pl.read_parquet(path).with_columns(pl.col("y_class_5m") + 1).write_parquet(path)
    with pytest.raises(DataError, match=r"'y_class_5m' of symbol 'B' holds 2 .*the models know the classes -1, 0, 1"):
        copied.predict(weights="evaluated", targets=["y_class_5m"])
    assert copied.predict(targets=["y_class_5m"]).predicted > 0, "without labels nobody needs them"


def test_evaluation_without_labels(trained, only_features: Callable[..., Path]) -> None:
    with pytest.raises(UnknownNameError, match="unknown target 'fwd_ret_5m'"):
        trained.predict(data_dir=only_features("A"), weights="evaluated")


def test_models_of_one_target_that_disagree_on_its_classes(copied) -> None:
    _changed(copied, "models/sym_y_class_5m_A/LightGBM", classes=[0.0, 1.0, 2.0])
    with pytest.raises(TrainingError, match=r"with classes \[0.0, 1.0, 2.0\].*of the same target 'y_class_5m'"):
        copied.predict()


def test_a_tampered_model_is_refused(copied) -> None:
    path = copied.results / JOB / "model.txt"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(TrainingError, match=r"model.txt: missing, or not the file that training wrote"):
        copied.predict()
    assert not (copied.path / "out.parquet").exists()


def test_a_tampered_manifest_is_refused(copied) -> None:
    path = copied.results / JOB / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(TrainingError, match=r"manifest.json: not a model of trainroute"):
        copied.predict()


def test_a_model_in_the_place_of_another_is_refused(copied) -> None:
    shutil.rmtree(copied.results / "models/sym_y_up_5m_A/LightGBM")
    shutil.copytree(copied.results / "models/sym_y_up_5m_C/LightGBM", copied.results / "models/sym_y_up_5m_A/LightGBM")
    with pytest.raises(TrainingError, match="is of sym_y_up_5m_C × LightGBM; expected sym_y_up_5m_A × LightGBM"):
        copied.predict()


def test_a_model_of_another_plan_does_not_answer(copied) -> None:
    _changed(copied, "models/sym_fwd_ret_5m_C/LightGBM", plan_id="f" * 32)
    with pytest.raises(UsageError, match="LightGBM has a model of another plan"):
        copied.predict(targets=["fwd_ret_5m"], symbols=["C"])
    frame = copied.predict(targets=["fwd_ret_5m"]).frame().filter(pl.col("symbol") == "C")
    assert frame["prediction"].null_count() == len(frame) > 0


def test_an_edited_plan_is_refused(copied) -> None:
    path = copied.results / "globals/training_plan/master_training_plan.json"
    path.write_text(path.read_text().replace('"blend_weight":0.55', '"blend_weight":0.95'))
    with pytest.raises(EditedPlanError):
        copied.predict()


def test_a_plan_of_other_settings_is_refused_unless_allowed(copied, trained) -> None:
    other = Config.model_validate({"routing": {"min_minority_events": 31}})
    with pytest.raises(StalePlanError, match=r"routing.min_minority_events was 30, is 31"):
        copied.predict(config=other)
    assert copied.predict(config=other, allow_stale=True).frame().equals(trained.predict().frame())


def test_models_of_other_data_settings_are_refused_unless_allowed(copied) -> None:
    other = Config.model_validate({"data": {"bar_interval": "1m"}})
    with pytest.raises(StalePlanError, match="the settings under 'data' changed since the model was trained"):
        copied.predict(config=other)
    assert copied.predict(config=other, allow_stale=True).predicted > 0


def test_other_data_make_nothing_stale(trained, only_features: Callable[..., Path]) -> None:
    assert trained.predict(data_dir=only_features("A", first=850)).predicted > 0


def test_a_library_that_is_not_installed_is_named(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FAMILIES.get("LSTM"), "requires", ("torch_is_not_here",))
    with pytest.raises(MissingLibraryError, match=r"× LSTM needs torch_is_not_here; .*leave it out with --families"):
        trained.predict()
    assert trained.predict(families=["LightGBM"]).predicted > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.csv", "expected a name that ends in .parquet"),
        ("data/A2.parquet", "so it would be read as data"),
        ("folder.parquet", "is a directory"),
    ],
)
def test_a_place_where_predictions_cannot_go(copied, name: str, message: str) -> None:
    (copied.path / "folder.parquet").mkdir()
    with pytest.raises(UsageError, match=message):
        copied.predict(output=copied.path / name)


def test_a_time_that_is_none(trained) -> None:
    with pytest.raises(UsageError, match="--since yesterday: expected a date or time such as 2024-01-31"):
        trained.predict(since="yesterday")


def test_an_unknown_setting(trained) -> None:
    with pytest.raises(ConfigError):
        trained.predict(config={"nope": 1})


def test_what_is_there_stays_when_predicting_fails(copied, only_features: Callable[..., Path]) -> None:
    first = copied.predict().path.read_bytes()
    path = copied.results / "models/sym_y_up_5m_C/LSTM/weights.safetensors"
    path.write_bytes(b"")
    with pytest.raises(TrainingError, match=r"weights.safetensors"):
        copied.predict()
    assert (copied.path / "out.parquet").read_bytes() == first
    assert [entry.name for entry in copied.path.iterdir() if entry.name.startswith(".")] == []
    assert json.loads((copied.results / "globals/training_report.json").read_text())
