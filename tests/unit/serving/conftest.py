"""Four symbols, three targets, every route: trained once, predicted by many tests."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from trainroute import pipeline
from trainroute.config import Config

MINUTE = 60_000_000
N_TIMES = 900
TARGETS = ("fwd_ret_5m", "y_class_5m", "y_up_5m")
FAMILIES = ("LightGBM", "XGBoost", "Ensemble", "GMMRegime", "LSTM")
ROUTES = {
    "A": {"p_local_better": 0.55},
    "B": {"p_local_better": 0.1},
    "C": {"p_local_better": 0.9},
    "D": {"p_cs_skill": 0.01, "score_shrunk": 0.5, "p_skill": 0.1},
}
"""BOTH, CROSS_SECTIONAL, SYMBOL_SPECIFIC, BLOCKED."""

QUICK = {"hyperparameters": {"rounds": 15, "rounds_without_validation": 15}}
CONFIG = Config.model_validate(
    {
        "training": {
            "workers": 1,
            "families": {"LightGBM": QUICK, "XGBoost": QUICK, "LSTM": {"hyperparameters": {"epochs": 2}}},
        }
    }
)


@dataclass(frozen=True)
class Place:
    """A directory with data and results."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def results(self) -> Path:
        return self.path / "results"

    def predict(self, **options: Any) -> pipeline.Predictions:
        options = {"config": CONFIG, "output": self.path / "out.parquet", "output_dir": self.results, **options}
        return pipeline.predict(options.pop("data_dir", self.data), **options)


def write_symbol(folder: Path, symbol: str, seed: int, *, n_times: int = N_TIMES, skip: int = 0) -> None:
    """Write a symbol whose labels follow ``f0``; ``skip``: leave out every so many-th row."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"f{k}": rng.normal(size=n_times) for k in range(4)}
    outcome = columns["f0"] + rng.normal(size=n_times)
    outcome[-5:] = np.nan
    known = ~np.isnan(outcome)
    frame = pl.DataFrame(
        {
            "ts": pl.Series(np.arange(n_times) * MINUTE).cast(pl.Datetime("us", "UTC")),
            **columns,
            "y_up_5m": np.where(known, outcome > 0, np.nan),
            "y_class_5m": np.where(known, np.digitize(outcome, [-0.7, 0.7]) - 1.0, np.nan),
            "fwd_ret_5m": outcome / 100,
        }
    )
    frame = frame.with_columns(pl.col("y_up_5m", "y_class_5m", "fwd_ret_5m").fill_nan(None))
    kept = frame if not skip else frame.filter(pl.int_range(pl.len()) % skip != 0)
    kept.write_parquet(folder / f"{symbol}.parquet")


def candidates() -> pl.DataFrame:
    """A good pool, and one symbol for each route."""
    good = {"score": 0.6, "score_shrunk": 0.6, "score_ci_low": 0.58, "p_skill": 0.999, "sample_size": 9000}
    common = {"n_eff": 500.0, "minority_events": 400, "stability": "STABLE", "leakage_status": "SAFE"}
    common |= {"attempted_model_families": ["R"], "failed_model_families": [], "cs_score_shrunk": 0.6}
    common |= {"p_cs_skill": 0.9}
    tasks = {"y_up_5m": "binary", "y_class_5m": "multiclass", "fwd_ret_5m": "regression"}
    rows = [
        {"target": target, "symbol": symbol, "task_type": task, **good, **common, **own}
        for target, task in tasks.items()
        for symbol, own in {None: {}, **ROUTES}.items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """All families on ``y_up_5m``, LightGBM on the others; tests only read it."""
    place = Place(tmp_path_factory.mktemp("trained"))
    place.data.mkdir()
    for number, symbol in enumerate(ROUTES):
        write_symbol(place.data, symbol, number, skip=7 if symbol == "C" else 0)
    candidates().write_parquet(place.path / "table.parquet")
    pipeline.route(place.path / "table.parquet", output_dir=place.results, families=FAMILIES, config=CONFIG)
    for options in ({"targets": ["y_up_5m"]}, {"targets": TARGETS[:2], "families": ["LightGBM"]}):
        assert pipeline.train(place.data, output_dir=place.results, config=CONFIG, **options).exit_code == 0
    return place


@pytest.fixture
def copied(trained: Place, tmp_path: Path) -> Place:
    """A copy that a test may spoil."""
    shutil.copytree(trained.path, tmp_path / "copy", ignore=shutil.ignore_patterns("*out.parquet"))
    return Place(tmp_path / "copy")


@pytest.fixture
def only_features(trained: Place, tmp_path: Path) -> Callable[..., Path]:
    """The rows of some symbols without any label, as new rows come."""

    def make(*symbols: str, first: int = 0) -> Path:
        folder = tmp_path / "features"
        folder.mkdir(exist_ok=True)
        for symbol in symbols:
            frame = pl.read_parquet(trained.data / f"{symbol}.parquet").drop(TARGETS)
            frame.filter(pl.col("ts").dt.epoch("us") >= first * MINUTE).write_parquet(folder / f"{symbol}.parquet")
        return folder

    return make
