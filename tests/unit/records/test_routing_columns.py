"""The columns beside a routing plan: what the JSON says, read without it; never anything else."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import msgspec
import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.errors import BrokenPlanError, EditedPlanError, PlanNotFoundError
from trainroute.records import routing_io
from trainroute.records.artifacts import read_json_artifact, write_json_artifact
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan, identified
from trainroute.records.routing_columns import open_columns
from trainroute.records.routing_file import open_routing_plan
from trainroute.records.routing_io import read_routing_origin, read_routing_plan, write_routing_plan
from trainroute.records.sealing import is_sealed, seal, unsealed
from trainroute.route import build_routing_plan

NAMES = ["AAPL", "a/b", "é", 'quote"', "", "n\nl", "sealed by sha256 " + "0" * 64]
COLUMNS = "routing_plan.parquet"


@pytest.fixture
def plan() -> RoutingPlan:
    rows: list[dict[str, object]] = []
    for target in ("y", "../z", "sealed by sha256 0"):
        rows.append({"target": target, "symbol": None, "score": 0.56, "sample_size": 9000, "p_skill": 0.999})
        rows += [{**rows[-1], "symbol": name, "score": 0.5 + i / 77, "n_eff": None} for i, name in enumerate(NAMES)]
    rows.append({"target": "alone", "symbol": None, "score": float("nan"), "sample_size": 9000, "p_skill": None})
    rows.append({**rows[-1], "target": "y", "symbol": "unknown", "score": float("nan")})
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t")
    return build_routing_plan(table, Config(), generated_at="2024", git_commit="abc")


@pytest.fixture
def only_columns(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let every look at the JSON fail, from when it is called."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the JSON was decoded")

    return lambda: monkeypatch.setattr(routing_io, "decode_parts", refuse)


def _same(one: RoutingPlan, other: RoutingPlan) -> bool:
    frames = [(one.pairs, other.pairs), (one.pooled, other.pooled)]
    return (one.metadata, one.routing, one.planning) == (other.metadata, other.routing, other.planning) and all(
        a.schema == b.schema and a.equals(b) for a, b in frames
    )


@pytest.mark.parametrize("targets", [None, ["y"], ["alone", "../z"], ["absent"]])
@pytest.mark.parametrize("allow_edited", [True, False])
def test_what_they_say_is_what_the_json_says(
    plan: RoutingPlan,
    tmp_path: Path,
    only_columns: Callable[[], None],
    targets: list[str] | None,
    *,
    allow_edited: bool,
) -> None:
    write_routing_plan(plan, tmp_path)
    full = read_routing_plan(tmp_path, targets=targets)
    origin = read_routing_origin(tmp_path)
    only_columns()
    back = read_routing_plan(tmp_path, targets=targets, explained=False, allow_edited=allow_edited)
    assert _same(back, replace(full, pairs=full.pairs.drop("margins", "reasons")))
    assert read_routing_origin(tmp_path, allow_edited=allow_edited) == origin
    with pytest.raises(AssertionError, match="was decoded"):
        read_routing_plan(tmp_path)


@pytest.mark.parametrize("kept", [pl.col("symbol") == "AAPL", pl.lit(value=False)])
def test_plans_of_few_pairs_or_none(
    plan: RoutingPlan, tmp_path: Path, only_columns: Callable[[], None], kept: pl.Expr
) -> None:
    few = identified(replace(plan, pairs=plan.pairs.filter(kept)))
    write_routing_plan(few, tmp_path)
    only_columns()
    back = read_routing_plan(tmp_path, explained=False)
    assert _same(back, replace(few, pairs=few.pairs.drop("margins", "reasons")))


def test_they_are_a_table_for_everyone(plan: RoutingPlan, tmp_path: Path) -> None:
    write_routing_plan(plan, tmp_path)
    table = pl.read_parquet(tmp_path / COLUMNS)
    assert {"target", "symbol", "route", "local_state", "score", "p_skill", "sample_size"} <= set(table.columns)
    assert table.select("target", "symbol", "route").equals(plan.pairs.select("target", "symbol", "route"))


def test_the_same_plan_gives_the_same_bytes(plan: RoutingPlan, tmp_path: Path) -> None:
    first, second = (write_routing_plan(plan, tmp_path / name).with_name(COLUMNS).read_bytes() for name in "ab")
    assert first == second


def test_spoilt_ones_are_not_used(plan: RoutingPlan, tmp_path: Path) -> None:
    """Whatever byte is another one: it is noticed before any of them is decoded."""
    path = write_routing_plan(plan, tmp_path)
    beside = path.with_name(COLUMNS)
    written = beside.read_bytes()
    assert open_columns(path) is not None
    spoilt = [b"", written[:-1], written[:50], written + b"x", written[1:], b"PAR1" * 100]
    places = [*range(0, len(written), 61), *range(len(written) - 100, len(written))]
    spoilt += [written[:at] + bytes([written[at] ^ (1 << at % 8)]) + written[at + 1 :] for at in places]
    for data in spoilt:
        beside.write_bytes(data)
        assert open_columns(path) is None
    whole = read_routing_plan(tmp_path)
    back = read_routing_plan(tmp_path, explained=False)
    assert _same(back, replace(whole, pairs=whole.pairs.drop("margins", "reasons")))


def test_those_of_another_plan_are_not_used(plan: RoutingPlan, tmp_path: Path) -> None:
    other = replace(plan, metadata=msgspec.structs.replace(plan.metadata, generated_at="2025"))
    write_routing_plan(other, tmp_path / "other")
    path = write_routing_plan(plan, tmp_path / "this")
    path.with_name(COLUMNS).write_bytes((tmp_path / "other" / COLUMNS).read_bytes())
    assert open_columns(path) is None
    assert read_routing_plan(path, explained=False).metadata == plan.metadata


def test_a_name_that_is_the_hash_of_another_json_opens_nothing(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path / "this")
    json_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    names = [json_sha256, f" beside {json_sha256}", unsealed(json_sha256)]
    pairs = plan.pairs.filter(pl.col("target") == "y").head(3).with_columns(symbol=pl.Series(sorted(names)))
    metadata = msgspec.structs.replace(plan.metadata, git_commit=unsealed(json_sha256))
    evil = write_routing_plan(identified(replace(plan, pairs=pairs, metadata=metadata)), tmp_path / "evil")
    assert open_columns(evil) is not None
    path.with_name(COLUMNS).write_bytes(evil.with_name(COLUMNS).read_bytes())
    assert open_columns(path) is None
    assert open_routing_plan(path).plan_id == plan.plan_id


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_of_a_size_that_can_be_is_not_even_read(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    beside = path.with_name(COLUMNS)

    def huge() -> None:
        with beside.open("wb") as file:
            file.truncate(200 << 30)

    others = [lambda: os.mkfifo(beside), huge, beside.mkdir, lambda: beside.symlink_to(beside.name)]
    beside.unlink()
    for put in others:
        put()
        assert open_columns(path) is None
        assert read_routing_plan(path, explained=False).plan_id == plan.plan_id
        if beside.is_dir():
            beside.rmdir()
        else:
            beside.unlink()


@pytest.mark.parametrize("last", ["sealed by sha256 ", "sealed by sha256 " + "0" * 64 + " beside x"])
def test_what_looks_like_a_seal_behind_it_makes_a_file_that_is_not_used(last: str) -> None:
    data = bytearray((unsealed("a") + last).encode())
    seal(data, "a")
    assert not is_sealed(bytes(data), "a")
    assert not is_sealed(bytes(data), "x")


@pytest.mark.parametrize(("old", "new"), [('cs_state":"', 'cs_state":"X'), (":0.999", ":0.998"), ("AAPL", "AAPM")])
def test_an_edit_of_the_json_is_named_as_ever(plan: RoutingPlan, tmp_path: Path, old: str, new: str) -> None:
    path = write_routing_plan(plan, tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    for read in (lambda: read_routing_plan(path, explained=False), lambda: read_routing_origin(path)):
        with pytest.raises(EditedPlanError, match="edited or corrupted"):
            read()


def test_an_edit_with_every_hash_made_again_counts(plan: RoutingPlan, tmp_path: Path) -> None:
    """Who makes all hashes of the JSON again wrote a plan; the columns of the one before are not read for it."""
    path = write_routing_plan(plan, tmp_path)
    document = read_json_artifact(path)
    document["metadata"]["git_commit"] = "another"
    write_json_artifact(path, document)
    assert read_routing_plan(path, explained=False).metadata.git_commit == "another"
    assert read_routing_origin(path)[0].git_commit == "another"


def test_another_layout_of_the_json_is_read_from_it(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    path.write_text(path.read_text() + "\n")
    assert open_columns(path) is None
    assert read_routing_plan(path, explained=False).plan_id == plan.plan_id


def test_without_json_there_is_no_plan(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    path.unlink()
    for read in (lambda: read_routing_plan(path, explained=False), lambda: read_routing_origin(path)):
        with pytest.raises(PlanNotFoundError):
            read()


def test_columns_of_another_version_are_not_used(plan: RoutingPlan, tmp_path: Path) -> None:
    """A column that this version has and they lack: the JSON then says whether it can be read."""
    path = write_routing_plan(plan, tmp_path)
    beside = path.with_name(COLUMNS)
    said = {key: text for key, text in pl.read_parquet_metadata(beside).items() if key.startswith("trainroute.")}
    json_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    blank = {**said, "trainroute.seal": unsealed(json_sha256)}
    file = BytesIO()
    pl.read_parquet(beside).drop("p_skill").write_parquet(file, metadata=blank)
    data = bytearray(file.getvalue())
    seal(data, json_sha256)
    beside.write_bytes(data)
    columns = open_columns(path)
    assert columns is not None
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        columns.pairs()
    assert "p_skill" in read_routing_plan(path, explained=False).pairs["scores"].struct.fields


def test_a_plan_that_cannot_be_read_is_refused_with_them_too(plan: RoutingPlan, tmp_path: Path) -> None:
    odd = replace(plan, metadata=msgspec.structs.replace(plan.metadata, schema_version=99))
    with pytest.raises(BrokenPlanError, match="schema_version is 99"):
        read_routing_plan(write_routing_plan(odd, tmp_path), explained=False)
