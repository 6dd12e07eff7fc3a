"""Thousands of spoilt files, each given to the program: refused in one line, or no different from what was written."""

import io
import logging
import random
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from trainroute.cli.app import build_app
from trainroute.cli.entry import run_app
from trainroute.plan import load_training_plan
from trainroute.records.artifacts import HASH_KEY, write_json_artifact
from trainroute.records.candidates_io import read_candidates
from trainroute.records.routing_io import read_routing_plan

pytestmark = pytest.mark.slow

MASTER = "globals/training_plan/master_training_plan.json"
MIRROR = "globals/training_plan/training_plan.json"
ROUTING = "METRICS/routing_plan/routing_plan.json"
CANDIDATES = "METRICS/routing_candidates.json"
OTHER_VALUES = [None, True, -1, 2**70, 0.5, "", "x", "../../x", [], [None], {}, {"symbol": "x"}]
APP = build_app()
STATES = ["STABLE", "DRIFTING", "DIVERGED", "UNKNOWN"]
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))]
every_seed = pytest.mark.parametrize("seed", SEEDS)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said on stderr."""

    code: int
    err: str


def _spoken(*arguments: object) -> Ended:
    """Run the program in this process; a traceback would end the test."""
    logger, hook, err = logging.getLogger("trainroute"), sys.excepthook, io.StringIO()
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        code = run_app(APP, [str(argument) for argument in arguments])
    logger.handlers[:], logger.propagate, sys.excepthook = handlers, propagate, hook
    logger.setLevel(level)
    return Ended(code, err.getvalue())


def _table() -> pl.DataFrame:
    rng = random.Random(3)
    rows = []
    for target in ("y_a_5d", "y/é"):
        for symbol in (None, "A", "a", "B_1", "q\"'"):
            score = rng.choice([0.52, 0.56, 0.6])
            rows.append(
                {
                    "target": target,
                    "symbol": symbol,
                    "score": score,
                    "score_ci_low": score - 0.03,
                    "p_skill": rng.choice([0.9, 0.97, 0.999]),
                    "p_local_better": rng.choice([0.1, 0.5, 0.9]),
                    "stability": rng.choice(STATES),
                    "leakage_status": rng.choice(["SAFE", "SAFE", "SUSPECT"]),
                    "sample_size": 9000,
                    "attempted_model_families": ["LightGBM", "Ridge"],
                }
            )
    return pl.DataFrame(rows)


def _spoilt(data: bytes, rng: random.Random) -> bytes:
    """Truncate, flip bits, overwrite, cut out, repeat, swap or append; sometimes nothing of it changes a byte."""
    place, length = rng.randrange(len(data)), rng.randint(1, 200)
    end = min(place + length, len(data))
    piece = data[place:end]
    flipped = bytes([data[place] ^ (1 << rng.randrange(8))])
    other = rng.randrange(len(data))
    return rng.choice(
        [
            data[:place],
            data[:place] + flipped + data[place + 1 :],
            data[:place] + bytes(len(piece)) + data[end:],
            data[:place] + rng.randbytes(len(piece)) + data[end:],
            data[:place] + data[end:],
            data[:end] + piece + data[end:],
            data[:other] + piece + data[other + len(piece) :],
            data + piece,
        ]
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, child in inner for found in [(*path, key), *_places(child, (*path, key))]]


def _reshaped(document: Any, rng: random.Random) -> Any:
    """Give one value another type, take it away, or give it another name; versions among them."""
    document = msgspec.json.decode(msgspec.json.encode(document))
    version = ("metadata", "schema_version")
    *path, last = version if rng.random() < 0.1 else rng.choice(_places(document))
    holder = document
    for key in path:
        holder = holder[key]
    deed = rng.choice(["replace", "replace", "remove", "rename"])
    if deed == "replace" or isinstance(holder, list):
        holder[last] = rng.choice(OTHER_VALUES)
    else:
        value = holder.pop(last)
        if deed == "rename":
            holder[f"{last}x"] = value
    return document


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """An output directory that `route` wrote; never changed."""
    folder = tmp_path_factory.mktemp("fuzz")
    _table().write_parquet(folder / "mine.parquet")
    assert _spoken("route", folder / "mine.parquet", "--output-dir", folder / "out").code == 0
    return folder


def _decided(path: Path) -> tuple[Any, ...]:
    plan = read_routing_plan(path)
    return plan.plan_id, plan.pooled.rows(), plan.pairs.rows()


def _jobs(path: Path) -> tuple[Any, ...]:
    plan = load_training_plan(path)
    return plan.jobs, plan.feature_sets


def _evidence(path: Path) -> str:
    return read_candidates(path).content_hash


def _refused(ended: Ended) -> bool:
    """Whether the program refused in one line; anything else but a done job is a fault."""
    if ended.code == 0:
        return False
    assert ended.code == 2, ended.err
    said = [line for line in ended.err.splitlines() if not line.startswith("warning: ")]
    assert len(said) == 1, ended.err
    assert said[0].startswith("error: ")
    assert "internal" not in said[0]
    assert "Traceback" not in ended.err
    return True


@every_seed
def test_spoilt_bytes_of_a_plan(seed: int, made: Path) -> None:
    output, rng = made / "out", random.Random(seed)
    explain = ("explain", "--target", "y_a_5d", "--symbol", "A", "--output-dir", output)
    show = ("show", "--output-dir", output)
    for name, command, read in ((MASTER, show, _jobs), (ROUTING, explain, _decided)):
        path = output / name
        data, truth = path.read_bytes(), read(path)
        assert not _refused(_spoken(*command))
        told = []
        for _ in range(150):
            spoilt = _spoilt(data, rng)
            path.write_bytes(spoilt)
            told.append(_refused(_spoken(*command)))
            assert told[-1] or read(path) == truth
        path.write_bytes(data)
        assert sum(told) > 130


@every_seed
def test_spoilt_columns_of_a_routing_plan_change_nothing(seed: int, made: Path) -> None:
    """They are read in place of the JSON only where both are as they were written."""
    output, rng = made / "out", random.Random(seed)
    path = (output / ROUTING).with_suffix(".parquet")
    data, truth = path.read_bytes(), read_routing_plan(output / ROUTING, explained=False)
    for _ in range(100):
        path.write_bytes(_spoilt(data, rng))
        assert _spoken("show", "--output-dir", output).code == 0
        found = read_routing_plan(output / ROUTING, explained=False)
        assert found.metadata == truth.metadata
        assert found.pairs.equals(truth.pairs)
        assert found.pooled.equals(truth.pooled)
    path.write_bytes(data)


@every_seed
def test_another_shape_of_an_artifact_with_a_right_hash(seed: int, made: Path, tmp_path: Path) -> None:
    output, rng = made / "out", random.Random(seed)
    explain = ("explain", "--target", "y_a_5d", "--symbol", "A", "--output-dir", output)
    show = ("show", "--output-dir", output)
    route = ("route", output / CANDIDATES, "--output-dir", tmp_path)
    for name, command, read in ((MASTER, show, _jobs), (ROUTING, explain, _decided), (CANDIDATES, route, _evidence)):
        path = output / name
        data, truth = path.read_bytes(), read(path)
        document = {key: value for key, value in msgspec.json.decode(data).items() if key != HASH_KEY}
        told = []
        for _ in range(100):
            write_json_artifact(path, _reshaped(document, rng))
            told.append(_refused(_spoken(*command)))
            assert told[-1] or read(path) == truth
        path.write_bytes(data)
        assert sum(told) > 65


def test_a_spoilt_master_is_never_replaced_by_its_mirror(made: Path) -> None:
    master = made / "out" / MASTER
    data = master.read_bytes()
    master.write_bytes(data[: len(data) // 2])
    assert _refused(_spoken("show", "--output-dir", made / "out"))
    master.unlink()
    assert _spoken("show", "--output-dir", made / "out").code == 0
    master.write_bytes(data)


@every_seed
@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_spoilt_candidates_of_ours(form: str, seed: int, made: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"routing: {{dump_candidates_as: {'CSV' if form == 'csv' else 'PARQUET'}}}")
    wrote = _spoken("route", made / "mine.parquet", "--output-dir", tmp_path / "out", "--config", settings)
    assert wrote.code == 0, wrote.err
    path = tmp_path / f"out/METRICS/routing_candidates.{form}"
    data, rng = path.read_bytes(), random.Random(seed)
    truth, told = read_candidates(path).content_hash, []
    for _ in range(85):
        path.write_bytes(_spoilt(data, rng))
        told.append(_refused(_spoken("route", path, "--output-dir", tmp_path / "again")))
        assert told[-1] or read_candidates(path).content_hash == truth
    assert sum(told) > 50


@every_seed
@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_spoilt_structure_of_a_users_table(form: str, seed: int, tmp_path: Path) -> None:
    path, rng = tmp_path / f"mine.{form}", random.Random(seed)
    table = _table().drop("attempted_model_families")
    known = set(table.select("target", "symbol").iter_rows())
    {"parquet": table.write_parquet, "csv": table.write_csv, "json": table.write_json}[form](path)
    data = path.read_bytes()
    for _ in range(35):
        place = rng.randrange(1, len(data) - 1)
        path.write_bytes(rng.choice([data[:place], data[place:]]))
        ended = _spoken("route", path, "--output-dir", tmp_path / "out")
        if _refused(ended):
            continue
        assert form == "csv"  # rows that are gone are no damage that a CSV could show
        for job in load_training_plan(tmp_path / "out/globals/training_plan").jobs:
            assert job.symbol is None or (job.target, job.symbol) in known
