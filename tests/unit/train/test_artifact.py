from collections.abc import Callable
from pathlib import Path

import pytest

from trainroute.errors import BrokenResultError, DiskFullError, TrainingError
from trainroute.families import FAMILIES
from trainroute.panel import Panel, WalkForward
from trainroute.records.artifacts import read_json_artifact, write_json_artifact
from trainroute.records.plan import TrainingJob
from trainroute.train.artifact import discard_model_of_other_plan, load_model, model_folder, read_manifest, unwritable
from trainroute.train.job import JobTask, run_job
from trainroute.train.rows import job_rows, take_features
from trainroute.train.store import PanelStore, write_store


@pytest.fixture
def store(make_panel: Callable[..., Panel], tmp_path: Path) -> PanelStore:
    panel = make_panel()
    split = WalkForward.build(panel.timestamps, n_blocks=8, initial_train_blocks=3, holdout_fraction=0.2, embargo_us=0)
    folder = tmp_path / "store"
    folder.mkdir()
    return write_store(panel, split, folder)


@pytest.fixture
def train(store: PanelStore, tmp_path: Path) -> Callable[..., Path]:
    def run(job: TrainingJob, plan_id: str = "p", features: tuple[str, ...] = ("f1", "f0")) -> Path:
        family = FAMILIES.get("LightGBM")
        task = JobTask(
            job=job,
            folder=job.job_id,
            family="LightGBM",
            features=features,
            siblings=(),
            hyperparameters=family.resolve({"rounds": 5}),
            seed=0,
            threads=1,
            plan_id=plan_id,
            inputs={},
        )
        done = run_job(task, store, tmp_path / "models")
        return tmp_path / "models" / done.folder

    return run


@pytest.mark.parametrize("target", ["y_binary", "y_multiclass", "y_regression"])
def test_the_manifest_says_what_the_model_is_and_the_model_comes_back(
    train: Callable[..., Path], make_job: Callable[..., TrainingJob], store: PanelStore, target: str
) -> None:
    job = make_job(target, "S1")
    folder = train(job)
    model, manifest = load_model(folder)
    own = store.index.targets[store.target_number[target]]
    assert folder.name == "LightGBM"
    assert folder.parent.name == manifest.job_id == job.job_id
    assert (manifest.target, manifest.symbol, manifest.family) == (target, "S1", "LightGBM")
    assert manifest.features == ("f1", "f0")
    assert manifest.classes == own.classes
    assert manifest.training_symbols == ("S1",)
    assert manifest.window.last_label_end < manifest.holdout.start
    assert manifest.versions.keys() >= {"python", "trainroute", "numpy", "lightgbm"}
    assert "unknown" not in manifest.versions.values()
    assert set(manifest.files) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    rows = job_rows(store, job, min_rows=1).holdout
    assert len(rows) == manifest.holdout.rows
    assert len(model.predict(take_features(store, rows, manifest.features))) == len(rows)


def test_a_score_is_that_of_the_loaded_model_on_the_holdout(
    train: Callable[..., Path], make_job: Callable[..., TrainingJob], store: PanelStore
) -> None:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - the oracle of this test only

    job = make_job("y_binary", "S1")
    model, manifest = load_model(train(job))
    rows = job_rows(store, job, min_rows=1).holdout
    expected = roc_auc_score(store.targets[rows, 0], model.predict(take_features(store, rows, manifest.features)))
    assert manifest.holdout.score == pytest.approx(expected)
    assert manifest.holdout.score > 0.7


def test_the_same_run_writes_the_same_bytes(train: Callable[..., Path], make_job: Callable[..., TrainingJob]) -> None:
    contents = []
    for _ in range(2):
        folder = train(make_job("y_regression", "S1"))
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]


@pytest.mark.parametrize("file", ["model.txt", "manifest.json"])
def test_an_edited_model_is_refused(
    train: Callable[..., Path], make_job: Callable[..., TrainingJob], file: str
) -> None:
    folder = train(make_job("y_binary", "S1"))
    text = (folder / file).read_text()
    (folder / file).write_text(text.replace("binary", "BINARY", 1))
    with pytest.raises(BrokenResultError, match=file) as edited:
        load_model(folder)
    (folder / file).unlink()
    with pytest.raises(BrokenResultError, match=file) as missing:
        load_model(folder)
    for said in map(str, (edited.value, missing.value)):
        assert said.count(str(folder)) == 1
        assert said.endswith("; train the model again"), "not the advice for plans"
        assert "trainroute route" not in said
        assert "--allow-edited" not in said


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "the file is empty"), ("[]", "expected a JSON object"), ("{", "cannot be read as JSON"), ("{}", "has no ")],
)
def test_a_broken_manifest_says_what_is_wrong_and_to_train_again(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(BrokenResultError) as raised:
        read_manifest(tmp_path)
    said = str(raised.value)
    assert said.startswith(f"{path}: not a model of trainroute: {found}")
    assert said.endswith("; train the model again")
    assert said.count(";") == 1


def test_a_full_disk_is_answered_by_what_the_command_can_do() -> None:
    full = OSError(28, "No space left on device")
    said = unwritable("the predictions", full)
    assert isinstance(said, DiskFullError)
    assert str(said).endswith("; free some space, then run the command again"), "predict has no --resume"
    assert str(unwritable("a file", full, then="go on with --resume")).endswith(", then go on with --resume")


def test_a_manifest_of_another_version_is_refused(
    train: Callable[..., Path], make_job: Callable[..., TrainingJob]
) -> None:
    folder = train(make_job("y_binary", "S1"))
    content = read_json_artifact(folder / "manifest.json")
    write_json_artifact(folder / "manifest.json", {**content, "schema_version": 99})
    with pytest.raises(TrainingError, match="schema_version 99; this version reads 2"):
        read_manifest(folder)
    write_json_artifact(folder / "manifest.json", {**content, "surprise": 1})
    with pytest.raises(TrainingError, match="not a model of trainroute"):
        read_manifest(folder)


def test_somebody_elses_file_in_the_way_is_kept_and_named(
    train: Callable[..., Path], make_job: Callable[..., TrainingJob]
) -> None:
    folder = train(make_job("y_binary", "S1"))
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match=r"the model cannot be written: .*notes\.txt"):
        train(make_job("y_binary", "S1"))
    assert (folder / "notes.txt").read_text() == "mine"


def test_only_a_model_of_another_plan_is_discarded(
    train: Callable[..., Path], make_job: Callable[..., TrainingJob], tmp_path: Path
) -> None:
    folder = train(make_job("y_binary", "S1"), plan_id="old")
    discard_model_of_other_plan(folder, "old")
    assert folder.is_dir()
    discard_model_of_other_plan(folder, "new")
    assert not folder.exists()
    discard_model_of_other_plan(tmp_path / "absent", "new")


def test_no_family_name_leaves_the_job_folder(tmp_path: Path) -> None:
    assert model_folder(tmp_path, "cs_y", "../../x").resolve().parent == tmp_path / "cs_y"


def test_a_model_that_was_written_half_is_not_there(
    train: Callable[..., Path], make_job: Callable[..., TrainingJob], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainroute.train.artifact.write_json_artifact", full)
    with pytest.raises(TrainingError, match=r"the model cannot be written: No space left.*--resume"):
        train(make_job("y_binary", "S1"))
    assert not list((tmp_path / "models").glob("*/*"))
