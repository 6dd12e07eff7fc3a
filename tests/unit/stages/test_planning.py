"""Plans made of a measurement on disk, and what `validate` says of them."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from filelock import FileLock

from trainroute import pipeline
from trainroute.compat import generate_routing_plan_after_feature_selection, validate_training_plan
from trainroute.config import Config
from trainroute.errors import ConfigError, OutputInUseError, PlanError
from trainroute.families import select_families
from trainroute.panel import data_fingerprint
from trainroute.plan import load_training_plan
from trainroute.records.artifacts import read_json_artifact
from trainroute.records.candidates import Candidates
from trainroute.records.candidates_io import (
    TableFormat,
    find_candidates,
    read_candidates,
    validate_candidates,
    write_candidates,
)
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import read_routing_plan
from trainroute.stages import TrainingRouter, plan_candidates, planning, planning_lock
from trainroute.stages.planning_lock import LOCK_NAME, sole_planner
from trainroute.train.earlier import GLOBALS, LEDGER
from trainroute.train.lock import OutputLock

SYMBOLS = ("A", "B")
TARGETS = ("y_down_1d", "y_up_1d")


def _table(score: float = 0.65) -> Any:
    rows = [(target, symbol, score, 8000, "abc") for target in TARGETS for symbol in (None, *SYMBOLS)]
    names = ["target", "symbol", "score", "sample_size", "git_commit"]
    return validate_candidates(pl.DataFrame(rows, schema=names, orient="row"), "test")


@pytest.fixture(params=["PARQUET", "CSV"])
def table_format(request: pytest.FixtureRequest) -> TableFormat:
    format_: TableFormat = request.param
    return format_


@pytest.fixture
def measured(tmp_path: Path, table_format: TableFormat, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory, and an output directory with candidates and plans made of it; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    days = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 9), "1d", eager=True).alias("ts")
    labels = {target: [0, 1, 0, 1, 0, 1, 0, 1, 0] for target in TARGETS}
    for symbol in SYMBOLS:
        pl.DataFrame({"ts": days, "x": range(9), **labels}).write_parquet(data / f"{symbol}.parquet")
    config = Config.model_validate({"routing": {"dump_candidates_as": table_format}})
    write_candidates(_table(), tmp_path / "results/METRICS", table_format=table_format)
    plan_candidates(
        _table(),
        config,
        output_dir=tmp_path / "results",
        families=select_families(["LightGBM"]),
        feature_sets={},
        data_dir=data,
    )
    return tmp_path


@pytest.mark.usefixtures("quiet_logger")
def test_a_plan_of_a_part_of_a_measurement_is_not_born_stale(measured: Path, table_format: TableFormat) -> None:
    output = measured / "results"
    path = find_candidates(output / "METRICS")
    assert path is not None
    before = path.read_bytes()
    for targets, symbols in ((TARGETS[:1], SYMBOLS[:1]), (TARGETS, SYMBOLS)):
        routing = generate_routing_plan_after_feature_selection(output, targets, symbols, model_families=["LightGBM"])
        assert (routing.targets, routing.symbols, routing.metadata.git_commit) == (targets, symbols, "abc")
        assert validate_training_plan(output / "globals/training_plan") == (True, [])
    assert path.read_bytes() == before
    write_candidates(_table(0.66), output / "METRICS", table_format=table_format)
    valid, problems = validate_training_plan(output / "globals/training_plan")
    assert not valid
    assert "the routing candidates changed" in problems[0]


@pytest.mark.usefixtures("quiet_logger")
def test_the_hash_of_all_measured_data_is_passed_on_to_a_plan_of_some_symbols(measured: Path) -> None:
    output = measured / "results"
    generate_routing_plan_after_feature_selection(output, TARGETS[:1], SYMBOLS, model_families=["LightGBM"])
    metadata = load_training_plan(output / "globals/training_plan").metadata
    assert metadata.data_fingerprint == data_fingerprint(measured / "data", SYMBOLS)
    assert metadata.git_commit == "abc"
    generate_routing_plan_after_feature_selection(output, TARGETS, SYMBOLS[:1], model_families=["LightGBM"])
    part = load_training_plan(output / "globals/training_plan").metadata
    assert (part.symbols, part.fingerprinted_symbols) == (tuple(SYMBOLS[:1]), tuple(SYMBOLS))
    assert part.data_fingerprint == metadata.data_fingerprint


@pytest.mark.usefixtures("quiet_logger")
def test_routing_a_measurement_again_knows_its_data(measured: Path, table_format: TableFormat) -> None:
    output, other = measured / "results", {"routing": {"min_minority_events": 29, "dump_candidates_as": table_format}}
    table = find_candidates(output / "METRICS")
    assert table is not None
    known = pipeline.route(table, output_dir=output, config=other).plan.metadata
    assert known.data_fingerprint == data_fingerprint(measured / "data", SYMBOLS)
    assert known.fingerprinted_symbols == tuple(SYMBOLS)
    assert pipeline.route(_table(0.66), output_dir=output, config=other).plan.metadata.data_fingerprint is None


def test_the_training_name_plans_nothing_where_somebody_plans(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning_lock, "PATIENCE_SECONDS", 0.1)
    output = measured / "results"
    before = _pair(output)
    with sole_planner(output), pytest.raises(OutputInUseError, match="another process has been planning into it"):
        generate_routing_plan_after_feature_selection(output, TARGETS[:1], SYMBOLS)
    assert _pair(output) == before


def test_validate_lists_names_that_are_not_in_the_data(measured: Path, program: Callable[..., Any]) -> None:
    assert program("validate", "--data-dir", "data").code == 0
    (measured / "data/B.parquet").unlink()
    left = pl.read_parquet(measured / "data/A.parquet").drop("y_up_1d")
    left.write_parquet(measured / "data/A.parquet")
    ended = program("validate", "--data-dir", "data")
    assert ended.code == 1
    assert "error: data: the data have no target y_up_1d" in ended.out
    assert "error: data: the data have no symbol B" in ended.out
    assert "stale" not in ended.out


def test_explain_and_diff_work_whatever_the_format(measured: Path, program: Callable[..., Any]) -> None:
    assert measured.is_dir()
    assert "y_up_1d · A: ROUTE_" in program("explain", "--target", "y_up_1d", "--symbol", "A").out
    assert "no difference" in program("diff", "results", "results").out


def _one_target(path: Path, count: int, score: float) -> Path:
    row = {"target": "y", "score": score, "score_ci_low": score - 0.02, "p_skill": 0.999, "sample_size": 9000}
    rows = pl.DataFrame({"symbol": [None, *(f"S{number:06d}" for number in range(count))]})
    rows.select(*(pl.lit(value).alias(name) for name, value in row.items()), "symbol").write_parquet(path)
    return path


_WRITER = """
import sys
from trainroute import pipeline
for _ in range(int(sys.argv[3])):
    pipeline.route(sys.argv[1], output_dir=sys.argv[2])
"""


def test_two_writers_at_once_leave_one_whole_plan(tmp_path: Path) -> None:
    """Whoever comes last wins; what is there is never a mixture of files of both."""
    tables = [_one_target(tmp_path / f"{score}.parquet", 50, score) for score in (0.5, 0.6)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, table, tmp_path / "run", "4"], stderr=subprocess.PIPE, text=True
        )
        for table in tables
    ]
    said = [writer.communicate()[1] for writer in writers]
    assert not any("Traceback" in text for text in said), said
    routing = read_routing_plan(tmp_path / "run/METRICS/routing_plan")
    plan = load_training_plan(tmp_path / "run/globals/training_plan")
    for mirror in (tmp_path / "run/globals/training_plan").rglob("*.json"):
        read_json_artifact(mirror)
    assert len(routing.pairs) == plan.summary.total_pairs == 50
    assert routing.plan_id == plan.metadata.routing_plan_id
    assert (
        read_candidates(tmp_path / "run/METRICS/routing_candidates.parquet").snapshot == plan.metadata.metrics_snapshot
    )
    assert [writer.returncode for writer in writers] == [0, 0]
    page = (tmp_path / "run/METRICS/routing_plan/routing_plan.md").read_text()
    assert routing.plan_id in page
    assert [path for path in (tmp_path / "run/METRICS").iterdir() if path.name.startswith(".")] == []


def test_a_part_of_a_table_planned_again_under_hysteresis_changes_nothing(tmp_path: Path) -> None:
    """The table is what the plan is made from, whether it is planned whole or in part."""
    config = Config.model_validate({"routing": {"hysteresis": {"score_margin": 0.01, "probability_margin": 0.02}}})
    router, directory = TrainingRouter(config), tmp_path / "METRICS/routing_plan"
    table, older = _table(), _table(0.6)

    def planned(whole: Candidates, target: str) -> RoutingPlan:
        part = validate_candidates(whole.frame.filter(pl.col("target") == target), "part")
        return router.generate_routing_plan(part, directory, cut_from=whole)

    first = planned(older, TARGETS[0])
    after = planned(table, TARGETS[0])
    assert after.metadata.previous_plan_id == first.plan_id
    again = planned(table, TARGETS[0])
    assert (again.plan_id, again.metadata.previous_plan_id) == (after.plan_id, first.plan_id)
    assert again.metadata.metrics_snapshot == table.snapshot
    other = planned(table, TARGETS[1])  # the plan that lies there says nothing of this target
    assert other.pairs["evidence"].struct.field("previous_state").to_list() == [None, None]
    assert planned(table, TARGETS[1]).plan_id == other.plan_id


@pytest.mark.parametrize("broken", ["write_candidates", "write_routing_plan", "write_training_plan"])
def test_nothing_takes_its_place_where_something_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(planning, broken, full)
    with pytest.raises(OSError, match="no space left"):
        plan_candidates(
            _table(),
            Config.model_validate({"routing": {}}),
            output_dir=tmp_path,
            families=select_families(["LightGBM"]),
            feature_sets={},
            copy_candidates=True,
        )
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {LOCK_NAME}
    assert "generated" not in caplog.text
    with pytest.raises(ConfigError, match="expired"):
        pipeline.route(_table(), output_dir=tmp_path, config={"routing": {"pins": [EXPIRED]}})
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {LOCK_NAME}


EXPIRED = {"target": "y_*", "force": "BLOCKED", "reason": "r", "expires": "2020-01-31"}


def _pair(output: Path) -> tuple[str, str]:
    """Return the id of the routing plan that lies there, and of the one that the jobs were made from."""
    plan = load_training_plan(output / "globals/training_plan")
    return read_routing_plan(output / "METRICS/routing_plan").plan_id, plan.metadata.routing_plan_id


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_route_leaves_two_plans_that_belong_together(tmp_path: Path) -> None:
    """What is killed writes plans over and over, so that it is always somewhere between reading and replacing."""
    tables = [_one_target(tmp_path / f"{score}.parquet", 300, score) for score in (0.5, 0.6)]
    output = tmp_path / "run"
    pipeline.route(tables[0], output_dir=output)
    for moment in (0.0, 0.13, 0.29, 0.41):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, tables[1], output, "1000"], stderr=subprocess.PIPE)
        assert writer.stderr is not None
        writer.stderr.readline()  # it has written a plan
        time.sleep(moment)
        writer.kill()
        writer.communicate()
        made, used = _pair(output)
        assert made == used
    pipeline.route(tables[0], output_dir=output)
    assert [path.name for path in (output / "METRICS").iterdir() if path.name.startswith(".")] == []


def test_two_planners_wait_for_each_other_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning_lock, "PATIENCE_SECONDS", 0.2)
    script = """
import sys
from pathlib import Path
from trainroute.stages.planning_lock import sole_planner
with sole_planner(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(OutputInUseError, match=r"another process has been planning into it for 0\.2 s"):
        pipeline.route(_table(), output_dir=tmp_path)
    holder.kill()
    holder.communicate()
    pipeline.route(_table(), output_dir=tmp_path)
    made, used = _pair(tmp_path)
    assert made == used


def test_training_that_begins_while_a_planner_waits_is_not_disturbed(tmp_path: Path) -> None:
    lock, ledger = FileLock(tmp_path / LOCK_NAME), tmp_path / GLOBALS / LEDGER
    pipeline.route(_table(), output_dir=tmp_path)
    before = _pair(tmp_path)
    with ThreadPoolExecutor(1) as pool, lock:
        waiting = pool.submit(pipeline.route, _table(0.5), output_dir=tmp_path)
        time.sleep(0.5)
        with OutputLock(ledger, tmp_path):
            lock.release()
            with pytest.raises(OutputInUseError, match="trains into it"):
                waiting.result()
    assert _pair(tmp_path) == before


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from trainroute.cli.entry import main
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
main(["route", sys.argv[1], "--output-dir", sys.argv[2]])
"""
    table = _one_target(tmp_path / "table.parquet", 3, 0.5)
    subprocess.run([sys.executable, "-c", script, table, tmp_path / "run"], check=False, capture_output=True)
    assert list((tmp_path / "run").rglob("*.tmp"))
    pipeline.route(table, output_dir=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").rglob(".*")] == [LOCK_NAME]


def test_nobody_plans_where_somebody_trains(tmp_path: Path) -> None:
    """The plan that a run trains by is not replaced under it."""
    ledger = tmp_path / GLOBALS / LEDGER
    with OutputLock(ledger, tmp_path, [("sym_y_A", "LightGBM")]):
        for plan in (
            lambda: pipeline.route(_table(), output_dir=tmp_path),
            lambda: pipeline.run(tmp_path / "data", output_dir=tmp_path, skip_training=True),
        ):
            with pytest.raises(OutputInUseError, match="trains sym_y_A × LightGBM in it"):
                plan()
    pipeline.route(_table(), output_dir=tmp_path)


_FOREIGN = "holds files that trainroute did not write"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("globals/training_plan/mine.txt", _FOREIGN),
        ("METRICS/routing_plan/mine.txt", _FOREIGN),
        ("globals/training_plan", "expected a directory, found a file"),
    ],
)
@pytest.mark.parametrize("command", ["route", "run"])
def test_what_is_in_the_way_of_a_plan_is_said_before_anything_is_written(
    tmp_path: Path, place: str, message: str, command: str
) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("mine")
    commands: dict[str, Callable[[], object]] = {
        "route": lambda: pipeline.route(_table(), output_dir=tmp_path),
        "run": lambda: pipeline.run(tmp_path / "no", output_dir=tmp_path, auto_targets=True, auto_features=True),
    }
    with pytest.raises(PlanError, match=message):
        commands[command]()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / place]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files here")
@pytest.mark.parametrize("limit", [1_000, 5_000])
def test_a_full_disk_is_one_line_that_says_where(tmp_path: Path, limit: int) -> None:
    """Of the first limit the table is too large, of the second a plan."""
    write_candidates(_table(), tmp_path / "given")
    script = """
import resource, sys
from trainroute.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
main(["route", sys.argv[2], "--output-dir", sys.argv[3]])
"""
    table, output = tmp_path / "given/routing_candidates.parquet", tmp_path / "out"
    command = [sys.executable, "-c", script, str(limit), str(table), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"error: {output}/")
    assert "File too large" in done.stderr
