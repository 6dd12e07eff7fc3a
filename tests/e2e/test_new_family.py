"""Adding a family is one file: it is listed, planned, trained by a worker, and held to the shared checks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainroute import load_training_plan
from trainroute.families import GROUPS

pytestmark = pytest.mark.slow

CHECKS = Path(__file__).parents[1] / "unit/families"
FILE = '''
import numpy as np

from trainroute.families import Family, FittedModel
from trainroute.records.vocabulary import Stage, Task


class LineModel(FittedModel):
    files = ("line.npz",)

    def __init__(self, mean, slope, level):
        self.mean, self.slope, self.level = mean, slope, level

    def predict(self, rows, *, threads=1):
        moved = np.nan_to_num(rows.features.astype(np.float64) - self.mean)
        return np.clip(self.level[0] + (moved * self.slope).sum(axis=1), self.level[1], self.level[2])

    def save(self, folder):
        np.savez(folder / "line.npz", mean=self.mean, slope=self.slope, level=self.level)


class Line(Family):
    """Least squares."""

    name = "Line"
    stage = Stage.CPU
    tasks = frozenset({Task.BINARY, Task.REGRESSION})
    min_rows = 50
    requires = ("numpy",)
    seconds_per_million_rows = 1.0

    def _fit(self, train, validation, context):
        present = np.isfinite(train.features).any(axis=0)
        mean = np.where(present, np.nanmean(np.where(present, train.features, 0.0), axis=0, dtype=np.float64), 0.0)
        moved = np.nan_to_num(train.features.astype(np.float64) - mean)
        level = train.labels.mean(dtype=np.float64)
        gram = moved.T @ moved + np.eye(moved.shape[1])
        slope = np.linalg.solve(gram, moved.T @ (train.labels - level))
        low, high = (0.0, 1.0) if context.task is Task.BINARY else (-np.inf, np.inf)
        return LineModel(mean, slope, np.array([level, low, high]))

    def load(self, folder):
        with np.load(folder / "line.npz", allow_pickle=False) as kept:
            return LineModel(kept["mean"], kept["slope"], kept["level"])
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the one file, and the entry point by which an installed distribution announces it."""
    site = tmp_path_factory.mktemp("site")
    (site / "line_family.py").write_text(FILE)
    info = site / "line_family-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: line-family\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trainroute.families]\nline = line_family\n")
    return site


def _ran(site: Path, place: Path, *arguments: str) -> str:
    command, environment = [sys.executable, "-m", *arguments], {**os.environ, "PYTHONPATH": str(site)}
    ended = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_it_is_listed(site: Path, tmp_path: Path) -> None:
    found = {row["name"]: row for row in json.loads(_ran(site, tmp_path, "trainroute", "families", "--format", "json"))}
    assert (len(found), found["Line"]["stage"], found["Line"]["min_rows"]) == (21, "cpu", 50)
    assert "Line" in _ran(site, tmp_path, "trainroute", "families")


def test_it_is_planned_and_trained_by_a_worker(site: Path, new_short_workplace) -> None:
    place = new_short_workplace()
    run = ("run", "--data-dir", "data", "--symbols", "AAPL", "JPM", "--targets", "y_high_vol_20d")
    _ran(site, place.path, "trainroute", *run, "--model-types", "sequential", "--skip-training")
    plan = load_training_plan(place.plan)
    assert plan.metadata.model_families == (*GROUPS["sequential"], "Line")
    assert all(job.model_families[-1] == "Line" for job in plan.jobs)
    _ran(site, place.path, "trainroute", "train", "--data-dir", "data", "--families", "line")
    report = json.loads((place.results / "globals/training_report.json").read_text())
    assert [row["state"] for row in report["results"]] == ["done"] * len(plan.jobs)
    assert min(row["score"] for row in report["results"]) > 0.5
    for row in report["results"]:
        assert (place.results / row["artifact"] / "line.npz").is_file()


def test_it_passes_the_shared_checks(site: Path, tmp_path: Path) -> None:
    """The files that check every family find it without being told about it."""
    checks = [str(CHECKS / f"test_family_{what}.py") for what in ("checks", "sequences")]
    out = _ran(site, CHECKS.parents[2], "pytest", "-q", "-p", "no:cacheprovider", "-k", "Line", *checks)
    passed = int(out.split(" passed")[0].split()[-1])
    assert passed >= 23, out
