"""Real data, few symbols, small models: a finished run that several tests look at."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from trainroute import pipeline
from trainroute.panel.sample import write_sample
from trainroute.pipeline import RunResult

SYMBOLS = ("AAPL", "JPM", "MSFT")
TARGETS = ("y_high_vol_20d", "y_up_5d", "y_will_swing_low_10d_1.00")
N_ROWS = 4000
SETTINGS = """\
routing:
  min_sample_size: {cross_sectional: 5000, symbol: 1000}
training:
  workers: 1
  families:
    LightGBM: {hyperparameters: {rounds: 20, rounds_without_validation: 20}}
    XGBoost: {hyperparameters: {rounds: 20, rounds_without_validation: 20}}
"""


@dataclass(frozen=True)
class Workplace:
    """A directory with data and settings, as a user has it."""

    path: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.path / "data"

    @property
    def results(self) -> Path:
        """The output directory."""
        return self.path / "results"

    @property
    def plan(self) -> Path:
        """The directory of the training plan."""
        return self.results / "globals/training_plan"

    @property
    def settings(self) -> Path:
        """The config file that is found without ``--config``."""
        return self.path / "CONFIG/training_config/routing_config.yaml"


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All sample data, as ``trainroute sample`` writes them."""
    data = tmp_path_factory.mktemp("sample") / "data"
    write_sample(data)
    return data


@pytest.fixture(scope="session")
def new_workplace(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workplace]:
    """Make a directory with the sample data and quick settings."""

    def make() -> Workplace:
        place = Workplace(tmp_path_factory.mktemp("work"))
        shutil.copytree(sample_data, place.data)
        place.settings.parent.mkdir(parents=True)
        place.settings.write_text(SETTINGS)
        return place

    return make


@pytest.fixture(scope="session")
def new_short_workplace(new_workplace: Callable[[], Workplace]) -> Callable[[], Workplace]:
    """Make a directory with the last rows of the sample data, without two of the targets, and quick settings."""

    def make() -> Workplace:
        place = new_workplace()
        for path in place.data.glob("symbol=*/*.parquet"):
            pl.read_parquet(path).tail(N_ROWS).drop("fwd_ret_5d", "fwd_vol_5d").write_parquet(path)
        return place

    return make


@pytest.fixture(scope="session")
def finished(new_workplace: Callable[[], Workplace]) -> tuple[Workplace, RunResult]:
    """A run from data to models and predictions; tests only read it."""
    place = new_workplace()
    result = pipeline.run(
        place.data,
        symbols=SYMBOLS,
        targets=TARGETS,
        families=["LightGBM", "XGBoost"],
        output_dir=place.results,
        config=place.settings,
    )
    pipeline.predict(place.data, symbols=SYMBOLS, weights="evaluated", output_dir=place.results, config=place.settings)
    return place, result


@pytest.fixture
def copied(finished: tuple[Workplace, RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A copy of the finished run that a test may spoil; it is the working directory."""
    place = Workplace(tmp_path / "copy")
    shutil.copytree(finished[0].path, place.path, ignore=shutil.ignore_patterns("models"))
    monkeypatch.chdir(place.path)
    return place
