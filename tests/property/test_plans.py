"""Plans of random candidates: whole, consistent, the same in any order of rows and in any interpreter."""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from trainroute.config.schema import Config
from trainroute.errors import TrainrouteError
from trainroute.plan import build_training_plan, load_training_plan, validate_plan, write_training_plan
from trainroute.records.candidates_io import read_candidates, validate_candidates, write_candidates
from trainroute.records.plan import FeatureSet, TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import read_routing_plan, write_routing_plan
from trainroute.route import build_routing_plan

NAMES = [
    "y",
    "Y",
    "y_a",
    "a",
    "a/b",
    "..",
    "",
    "CON",
    "é",
    "e\u0301",
    "x" * 200,
    "n\nl",
    "%41",
    "A",
    'q"',
    "del\x7f",
    "b_c",
]


def _rows(seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {"target": target, "symbol": symbol, **_evidence(rng, pooled=symbol is None)}
        for target in rng.sample(NAMES, rng.randint(1, 4))
        for symbol in [None, *rng.sample(NAMES, rng.randint(1, 8))]
    ]


def _evidence(rng: random.Random, *, pooled: bool) -> dict[str, Any]:
    return {
        "score": rng.choice([0.5, 0.515, 0.54, 0.6]),
        "p_skill": rng.choice([0.5, 0.9, 0.96, 0.999]),
        "score_ci_low": rng.choice([0.49, 0.55]),
        "p_local_better": rng.choice([None, 0.1, 0.5, 0.9]),
        "leakage_status": rng.choice(["SAFE", "SAFE", "SUSPECT", "BLOCKED"]),
        "sample_size": 9000 if pooled else rng.choice([0, 900, 6000, None]),
        "feature_set_id": rng.choice(["fs", "é", None]),
    }


def _plans(rows: list[dict[str, Any]]) -> tuple[RoutingPlan, TrainingPlan]:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    routing = build_routing_plan(validate_candidates(frame, "t"), Config(), generated_at="now", git_commit=None)
    plan = build_training_plan(
        routing,
        Config(),
        families=("LightGBM", "Ensemble"),
        feature_sets={"fs": FeatureSet(features=("a", "b")), "é": FeatureSet(features=("é",))},
        data_fingerprint=None,
        run_id="run",
        generated_at="now",
        git_commit=None,
        routing_plan_path="",
    )
    return routing, plan


def _bytes(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_written_and_read_it_is_the_same_and_consistent(seed: int) -> None:
    routing, plan = _plans(_rows(seed))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_routing_plan(routing, folder / "r")
        write_training_plan(plan, folder / "t")
        back, loaded = read_routing_plan(folder / "r"), load_training_plan(folder / "t")
        outside = [path for path in folder.iterdir() if path.name not in {"r", "t"}]
    assert not outside
    assert back.pairs.equals(routing.pairs)
    assert loaded == plan
    assert validate_plan(loaded, routing=back) == []
    assert len({job.job_id for job in plan.jobs}) == len(plan.jobs)
    for job in plan.jobs:
        served = set(job.metadata.symbols)
        assert set(job.metadata.both_symbols) <= served
        assert (job.symbol is None) == bool(served)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**9), st.randoms(use_true_random=False))
def test_the_order_of_rows_is_not_in_any_byte(seed: int, rng: random.Random) -> None:
    rows = _rows(seed)
    with tempfile.TemporaryDirectory() as name:
        found = []
        for number in range(2):
            routing, plan = _plans(rows)
            write_routing_plan(routing, Path(name, f"{number}r"))
            write_training_plan(plan, Path(name, f"{number}t"))
            found.append((_bytes(Path(name, f"{number}r")), _bytes(Path(name, f"{number}t"))))
            rng.shuffle(rows)
    assert found[0] == found[1]


def _corrupted(data: bytes, rng: random.Random) -> bytes:
    """Truncate, flip a bit, repeat a piece, or cut one out."""
    place, length = rng.randrange(len(data)), rng.randint(1, 60)
    flipped = bytes([data[place] ^ (1 << rng.randrange(8))])
    return rng.choice(
        [
            data[:place],
            data[:place] + flipped + data[place + 1 :],
            data[: place + length] + data[place:],
            data[:place] + data[place + length :],
        ]
    )


def _refused(read: Callable[[], object]) -> bool:
    try:
        read()
    except TrainrouteError as error:
        return error.exit_code == 2 and "\n" not in str(error)
    return False


def test_a_corrupted_file_is_refused_or_says_the_same(tmp_path: Path) -> None:
    rows = _rows(5)
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t")
    routing, plan = _plans(rows)
    csv, parquet = write_candidates(table, tmp_path / "c", table_format="CSV"), write_candidates(table, tmp_path / "p")
    write_routing_plan(routing, tmp_path / "r")
    write_training_plan(plan, tmp_path / "t")
    readers: dict[Path, Callable[[], bool]] = {
        parquet: lambda: read_candidates(parquet).frame.equals(table.frame),
        csv: lambda: read_candidates(csv).frame.equals(table.frame),
        csv.with_suffix(".json"): lambda: read_candidates(csv.with_suffix(".json")).frame.equals(table.frame),
        tmp_path / "r/routing_plan.json": lambda: read_routing_plan(tmp_path / "r").pairs.equals(routing.pairs),
        tmp_path / "t/master_training_plan.json": lambda: load_training_plan(tmp_path / "t") == plan,
    }
    rng = random.Random(0)
    for path, read in readers.items():
        data = path.read_bytes()
        assert read()
        for _ in range(80):
            path.write_bytes(_corrupted(data, rng))
            assert _refused(read) or read()
        path.write_bytes(data)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_plans import _plans, _rows
from trainroute.plan import write_training_plan
from trainroute.records.routing_io import write_routing_plan
rows = list({(row["target"], row["symbol"]): row for seed in range(3) for row in _rows(seed)}.values())
rows = rows[::int(sys.argv[3])]
routing, plan = _plans(rows)
write_routing_plan(routing, Path(sys.argv[2], "r"))
write_training_plan(plan, Path(sys.argv[2], "t"))
print(routing.plan_id, plan.metadata.plan_id, len(plan.jobs))
"""


def test_another_hash_seed_and_order_give_the_same_bytes(tmp_path: Path) -> None:
    said, files = [], []
    for seed, order in (("0", 1), ("4242", -1)):
        folder = tmp_path / seed
        command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(folder), str(order)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        said.append(done.stdout)
        files.append(_bytes(folder))
    assert said[0] == said[1]
    assert int(said[0].split()[-1]) >= 3
    assert files[0] == files[1]


WRITER = """
import itertools, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_plans import _plans, _rows
from trainroute.plan import write_training_plan
from trainroute.records.routing_io import write_routing_plan
made = [_plans(_rows(seed)) for seed in (1, 2)]
for routing, plan in itertools.cycle(made):
    write_routing_plan(routing, Path(sys.argv[2], "r"))
    write_training_plan(plan, Path(sys.argv[2], "t"))
    print(plan.metadata.plan_id, flush=True)
"""


def test_a_killed_writer_leaves_one_of_the_two_plans_whole(tmp_path: Path) -> None:
    made = [_plans(_rows(seed)) for seed in (1, 2)]
    plans = {plan.metadata.plan_id: plan for _, plan in made}
    routings = {routing.plan_id: routing for routing, _ in made}
    rng = random.Random(0)
    for _ in range(6):
        command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(2):
                assert writer.stdout.readline().strip() in plans
            time.sleep(rng.uniform(0.0, 0.06))
            writer.kill()
        loaded, routing = load_training_plan(tmp_path / "t"), read_routing_plan(tmp_path / "r")
        true = plans[loaded.metadata.plan_id]
        assert loaded.jobs == true.jobs
        assert routing.pairs.equals(routings[routing.plan_id].pairs)
        write_training_plan(true, tmp_path / "true")
        assert _bytes(tmp_path / "t").keys() == _bytes(tmp_path / "true").keys()
        for name, data in _bytes(tmp_path / "t").items():
            assert true.metadata.plan_id.encode() in data, name
