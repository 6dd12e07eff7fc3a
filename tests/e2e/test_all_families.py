"""All twenty families by the `-m` entry points: each is fitted, scored, saved without pickles, checked when loaded."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainroute import predict
from trainroute.errors import TrainingError
from trainroute.families import FAMILIES, GROUPS
from trainroute.panel.prepare import prepare
from trainroute.train import load_model, read_manifest

pytestmark = pytest.mark.slow

ALL = GROUPS["sequential"]
SYMBOLS = ("AAPL", "JPM", "MSFT")
TARGETS = ("fwd_vol_5d", "y_high_vol_20d")
JOBS = {"cs_fwd_vol_5d", "sym_y_high_vol_20d_JPM"}
N_ROWS = 3200
PINS = (
    {"target": "fwd_vol_5d", "force": "ROUTE_CROSS_SECTIONAL"},
    {"target": "y_high_vol_20d", "symbol": "JPM", "force": "ROUTE_SYMBOL_SPECIFIC"},
    {"target": "y_high_vol_20d", "symbol": "[AM]*", "force": "ROUTE_BLOCKED"},
)
QUICK = {
    "rounds": 20, "rounds_without_validation": 20, "forest_trees": 20, "folds": 2,
    "epochs": 1, "epochs_without_validation": 1, "batches_per_epoch": 10, "gan_steps": 5,
}  # fmt: skip
OWN_FORMATS = {".json", ".txt", ".ubj", ".npz", ".safetensors"}
DATA = ("--data-dir", "data", "--symbols", *SYMBOLS)
MAIN = ("TRAINING.training_strategies.main", *DATA, "--model-types", "sequential")


@pytest.fixture(scope="module")
def place(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last rows of three symbols; settings by which one pooled and one local job train, quickly."""
    place = tmp_path_factory.mktemp("all")
    (place / "bars").mkdir()
    for symbol in SYMBOLS:
        bars = pl.read_parquet(sample_data / f"symbol={symbol}/*.parquet").sort("ts").tail(N_ROWS)
        bars.select("ts", "close", symbol=pl.lit(symbol)).write_csv(place / f"bars/{symbol}.csv")
    prepare(place / "bars", place / "data", targets=TARGETS)
    families = {
        family.name: {"hyperparameters": {key: QUICK[key] for key in QUICK.keys() & family.hyperparameters.keys()}}
        for family in FAMILIES.members()
    }
    routing = {
        "min_sample_size": {"cross_sectional": 1000, "symbol": 500},
        "pins": [{**pin, "reason": "two jobs", "expires": "2999-12-31"} for pin in PINS],
    }
    settings = place / "CONFIG/training_config/routing_config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"routing": routing, "training": {"workers": 1, "families": families}}))
    return place


def _ran(place: Path, module: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", "-m", module, *arguments]
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **environment}
    )


def _report(place: Path, results: str = "results") -> dict:
    return json.loads((place / results / "globals/training_report.json").read_text())


@pytest.fixture(scope="module")
def trained(place: Path) -> "subprocess.CompletedProcess[str]":
    """The one command, ended."""
    ended = _ran(place, "TRAINING.orchestration.intelligent_trainer", *DATA, "--auto-targets", "--auto-features")
    assert ended.returncode == 0, ended.stderr
    return ended


def _require_every_family(place: Path, results: str, planned: int) -> list[dict]:
    """Check that each of the twenty was fitted and scored in at least one job, and is there; return its results."""
    report = _report(place, results)
    assert {name: row["executed"] > 0 for name, row in report["families"].items()} == dict.fromkeys(ALL, True)
    done = [row for row in report["results"] if row["state"] == "done"]
    assert len(done) == report["planned"] == planned
    assert [row for row in done if not 0.0 <= row["score"] <= 1.0] == []
    assert [row for row in done if not (place / results / row["artifact"] / "manifest.json").is_file()] == []
    return done


def test_the_one_command_trains_all_twenty(place: Path, trained: "subprocess.CompletedProcess[str]") -> None:
    done = _require_every_family(place, "results", 2 * len(ALL) - 1)  # QuantileLightGBM does regression only
    assert {row["job_id"] for row in done} == JOBS
    assert {row["family"]: row["stage"] for row in done} == {
        name: "cpu" if number < 10 else "gpu" for number, name in enumerate(ALL)
    }
    stages = [line for line in trained.stderr.splitlines() if line.startswith("Stage ")]
    assert [line.split(" on ")[0] for line in stages if "models" in line] == [
        f"Stage 1 (CPU): 19 models of 2 jobs ({', '.join(ALL[:10])})",
        f"Stage 2 (GPU): 20 models of 2 jobs ({', '.join(ALL[10:])})",
    ]
    for line in (
        "Training routing plan generated",
        "Training plan generated",
        "Training plan filter applied: 2 → 2 targets",
        "Using model families from training plan",
    ):
        assert trained.stderr.count(line) == 1


def test_the_report_gives_the_score_of_each_model(place: Path, trained: object) -> None:
    text = (place / "results/globals/training_report.md").read_text()
    for row in _report(place)["results"]:
        if row["state"] == "done":
            assert re.search(rf"^\| .* \| {row['score']:.4f} \| .* \| {row['artifact']} \|$", text, re.MULTILINE), row


def test_by_the_plan_the_same_models_come_out(place: Path, trained: object) -> None:
    """What the first command has trained fits the second one's plan, settings and data to the last hash."""
    plan = ("--training-plan-dir", "results/globals/training_plan")
    ended = _ran(place, *MAIN, *plan, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert "0 of 39 job × family trained, 39 kept from an earlier run" in ended.stdout


@pytest.mark.long
def test_without_a_plan_all_twenty_are_trained_too(place: Path) -> None:
    ended = _ran(place, *MAIN, "--no-training-plan", "--targets", "fwd_vol_5d", "--output-dir", "unplanned")
    assert ended.returncode == 0, ended.stderr
    done = _require_every_family(place, "unplanned", len(ALL))
    assert {row["job_id"] for row in done} == {"cs_fwd_vol_5d"}


@pytest.mark.parametrize("family", ALL)
def test_predictions_score_as_in_training_to_the_last_bit(
    family: str, place: Path, trained: object, tmp_path: Path
) -> None:
    """The models are read back in another process than trained them, and asked for rows of the holdout and beyond."""
    settings = place / "CONFIG/training_config/routing_config.yaml"
    found = predict(
        place / "data",
        families=[family],
        output_dir=place / "results",
        weights="evaluated",
        output=tmp_path / "p.parquet",
        config=settings,
    )
    served = {target.target: target.routed.symbols for target in found.evaluation.targets}
    manifests = [read_manifest(folder) for folder in sorted(place.glob(f"results/models/*/{family}"))]
    assert manifests
    for manifest in manifests:
        trained_scores = {symbol: scored.score for symbol, scored in manifest.holdout.symbols.items()}
        assert {symbol: served[manifest.target][symbol] for symbol in trained_scores} == trained_scores


def test_nothing_on_disk_is_a_pickle(place: Path, trained: object) -> None:
    files = [path for path in (place / "results/models").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= OWN_FORMATS
    contents = {str(path): path.read_bytes() for path in files}
    for path in files:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                contents |= {f"{path}/{name}": archive.read(name) for name in archive.namelist()}
            with np.load(path, allow_pickle=False) as arrays:
                assert [name for name in arrays.files if arrays[name].dtype.hasobject] == []
    assert [name for name, content in contents.items() if re.match(rb"\x80[\x02-\x05]", content)] == []


@pytest.mark.parametrize("family", ALL)
def test_a_tampered_model_is_refused(family: str, place: Path, trained: object, tmp_path: Path) -> None:
    written = next(place.glob(f"results/models/*/{family}"))
    names = sorted(path.name for path in written.iterdir())
    assert len(names) > 1
    for name in names:
        folder = tmp_path / name / family
        shutil.copytree(written, folder)
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(TrainingError, match=re.escape(name)):
            load_model(folder)


HIDING = """\
import sys
from importlib.machinery import PathFinder


class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        return None if fullname.partition(".")[0] in {names!r} else super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""


@pytest.fixture
def without_extras(tmp_path: Path) -> dict[str, str]:
    """Variables under which no Python process finds a module that only an extra installs."""
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    names = {re.split(r"[>=]", needed)[0] for extra in ("cpu", "keras", "torch") for needed in extras[extra]}
    assert names == {"ngboost", "ruptures", "keras", "torch", "safetensors"}
    (tmp_path / "sitecustomize.py").write_text(HIDING.format(names={*names, "tensorflow"}))
    return {"PYTHONPATH": str(tmp_path)}


def test_without_extras_the_base_families_train_and_the_rest_are_named(
    place: Path, without_extras: dict[str, str]
) -> None:
    arguments = ("--no-training-plan", "--targets", "fwd_vol_5d", "--output-dir", "bare")
    ended = _ran(place, *MAIN, *arguments, **without_extras)
    assert ended.returncode == 0, ended.stderr
    base = {family.name for family in FAMILIES.members() if family.extra is None}
    assert len(base) == 8
    states = {row["family"]: row["state"] for row in _report(place, "bare")["results"]}
    assert states == {name: "done" if name in base else "skipped" for name in ALL}
    for line in (
        "NGBoost: ngboost is not installed; pip install 'trainroute[cpu]'",
        "ChangePoint: ruptures is not installed; pip install 'trainroute[cpu]'",
        "MLP, VAE, GAN, MultiTask: keras and torch are not installed; pip install 'trainroute[keras]'",
        f"{', '.join(ALL[14:])}: torch and safetensors are not installed; pip install 'trainroute[torch]'",
    ):
        assert line in ended.stdout.splitlines()


def test_without_extras_a_family_asked_for_by_name_is_a_failure(place: Path, without_extras: dict[str, str]) -> None:
    arguments = ("--no-training-plan", "--targets", "fwd_vol_5d", "--output-dir", "named", "--families", "LSTM")
    ended = _ran(place, "TRAINING.training_strategies.main", *DATA, *arguments, **without_extras)
    assert ended.returncode == 1, ended.stderr
    assert "LSTM: torch and safetensors are not installed; pip install 'trainroute[torch]'" in ended.stdout
    assert [row["state"] for row in _report(place, "named")["results"]] == ["failed"]
