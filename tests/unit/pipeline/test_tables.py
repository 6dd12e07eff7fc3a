"""The candidates table as Parquet or CSV, through the pipeline."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainroute import pipeline
from trainroute.records.candidates_io import read_candidates

CSV = {"routing": {"dump_candidates_as": "CSV", "dump_plan_as": ["JSON"]}}


def _tables(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "METRICS").glob("routing_candidates.*"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two symbols of 800 minutes; the label follows ``f0``."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number, symbol in enumerate("AB"):
        rng = np.random.default_rng(number)
        feature = rng.normal(size=800)
        label = (feature + rng.normal(size=800) > 0).astype(np.int8)
        time = pl.Series(np.arange(800) * 60_000_000).cast(pl.Datetime("us", "UTC"))
        pl.DataFrame({"ts": time, "f0": feature, "y_up_1m": label}).write_parquet(folder / f"{symbol}.parquet")
    return folder


def test_a_run_writes_the_table_that_the_settings_ask_for(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    first = pipeline.run(data, output_dir=output, skip_training=True)
    assert _tables(output) == ["routing_candidates.json", "routing_candidates.parquet"]
    measured = read_candidates(first.files["candidates"])
    second = pipeline.run(data, output_dir=output, skip_training=True, config=CSV)
    assert _tables(output) == ["routing_candidates.csv", "routing_candidates.json"]
    assert second.from_cache
    assert second.files["candidates"] == output / "METRICS/routing_candidates.csv"
    assert read_candidates(second.files["candidates"]).snapshot == measured.snapshot
    assert second.plan.metadata.plan_id == first.plan.metadata.plan_id
    assert all(path.is_file() for path in second.files.values())


def test_route_copies_the_table_as_the_settings_ask_for(tmp_path: Path) -> None:
    output, mine = tmp_path / "results", tmp_path / "mine.csv"
    mine.write_text("target,symbol,score,sample_size\ny_up_1m,,0.6,9000\ny_up_1m,A,0.6,9000\n")
    as_csv = pipeline.route(mine, output_dir=output, config=CSV)
    assert _tables(output) == ["routing_candidates.csv", "routing_candidates.json"]
    as_parquet = pipeline.route(mine, output_dir=output)
    assert _tables(output) == ["routing_candidates.json", "routing_candidates.parquet"]
    assert as_csv.plan.metadata.plan_id == as_parquet.plan.metadata.plan_id
