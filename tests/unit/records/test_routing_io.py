"""A routing plan on disk: complete, checked, the same when it comes back."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from trainroute.config.schema import Config
from trainroute.errors import BrokenPlanError, EditedPlanError, PlanNotFoundError
from trainroute.records import yaml_text
from trainroute.records.artifacts import canonical_json, read_json_artifact, write_json_artifact
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan, identified
from trainroute.records.routing_file import decisions_id, open_routing_plan
from trainroute.records.routing_io import read_routing_origin, read_routing_plan, write_routing_plan
from trainroute.route import build_routing_plan

NAMES = ["AAPL", "a/b", "é", 'quote"', "sep\u2028", "del\x7f", "😀", "", "n\nl"]


@pytest.fixture
def plan() -> RoutingPlan:
    rows: list[dict[str, Any]] = []
    for target in ("y", "../z", "b\\c"):
        rows.append({"target": target, "symbol": None, "score": 0.56, "sample_size": 9000, "p_skill": 0.999})
        # 0.800001 - 0.8 is a margin of 1e-06, which YAML would read as text.
        rows += [
            {**rows[-1], "symbol": name, "score": 0.52 + 0.01 * i, "p_skill": 0.800001} for i, name in enumerate(NAMES)
        ]
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t")
    return build_routing_plan(table, Config(), generated_at="2024", git_commit="abc")


def test_write_then_read_is_identity(plan: RoutingPlan, tmp_path: Path) -> None:
    assert write_routing_plan(plan, tmp_path / "routing_plan") == tmp_path / "routing_plan/routing_plan.json"
    for path in (tmp_path / "routing_plan", tmp_path / "routing_plan/routing_plan.json"):
        back = read_routing_plan(path)
        assert back.metadata == plan.metadata
        assert (back.routing, back.planning) == (plan.routing, plan.planning)
        assert back.pairs.equals(plan.pairs)
        assert back.pooled.equals(plan.pooled)
        assert back.targets_part == plan.targets_part
    assert read_routing_origin(tmp_path / "routing_plan")[0] == plan.metadata


def test_some_targets_only(plan: RoutingPlan, tmp_path: Path) -> None:
    write_routing_plan(plan, tmp_path)
    back = read_routing_plan(tmp_path, targets=["../z"])
    assert back.targets == ("../z",)
    assert back.pairs.equals(plan.pairs.filter(pl.col("target") == "../z"))
    assert back.plan_id == plan.plan_id


@pytest.mark.parametrize("symbols", [NAMES, []])
def test_a_plan_that_was_opened_before_is_the_same(plan: RoutingPlan, tmp_path: Path, symbols: list[str]) -> None:
    few = plan.pairs.filter((pl.col("target") == "y") | pl.col("symbol").is_in(symbols))
    written = identified(replace(plan, pairs=few))
    path = write_routing_plan(written, tmp_path / "routing_plan")
    assert open_routing_plan(path.parent).plan_id == written.plan_id
    for targets in (["../z"], ["b\\c"], ["y"], ["y", "../z"], ["absent"], ["cross_sectional"], None):
        opened = open_routing_plan(path.parent, targets or ())
        assert set(opened.entries) == set(targets or ()) & {"../z", "b\\c", "y"}
        for wanted in (True, False):
            plain, ahead = (
                read_routing_plan(path, targets=targets, explained=wanted, opened=known) for known in (None, opened)
            )
            assert ahead.pairs.equals(plain.pairs)
            assert ahead.pooled.equals(plain.pooled)
            assert (ahead.metadata, ahead.routing) == (plain.metadata, plain.routing)


@pytest.mark.parametrize("layout", [("\n", ""), (',"', ',\n"'), ("}", "}\n"), ('{"cross', '{\n"cross')])
def test_line_feeds_are_layout_for_a_plan_that_was_opened_before(
    plan: RoutingPlan, tmp_path: Path, layout: tuple[str, str]
) -> None:
    path = write_routing_plan(plan, tmp_path)
    path.write_text(path.read_text().replace(*layout))
    for target in plan.targets:
        back = read_routing_plan(path, targets=[target], opened=open_routing_plan(path, [target]))
        assert back.pairs.equals(plan.pairs.filter(pl.col("target") == target))


def test_a_line_feed_makes_no_target(plan: RoutingPlan, tmp_path: Path) -> None:
    """A line feed is not hashed; here one stands where it leaves the end of a name alone on a line."""
    named = plan.pooled.with_columns(pl.col("target").replace("b\\c", 'b\\"c'))
    pairs = plan.pairs.with_columns(pl.col("target").replace("b\\c", 'b\\"c'))
    path = write_routing_plan(identified(replace(plan, pooled=named, pairs=pairs)), tmp_path)
    path.write_bytes(path.read_bytes().replace(b'b\\\\\\"c', b'b\\\\\\\n"c', 1))
    assert open_routing_plan(path, ["c"]).entries == {}
    with pytest.raises(BrokenPlanError, match="cannot be read as JSON"):
        read_routing_plan(path, targets=["c"], opened=open_routing_plan(path, ["c"]))


def test_a_name_that_no_plan_can_have_is_not_found(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    assert open_routing_plan(path, ["\udcff"]).entries == {}


def test_an_edited_plan_that_was_opened_before_is_refused(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    written = path.read_text()
    path.write_text(written.replace("ROUTE_CROSS_SECTIONAL", "ROUTE_SYMBOL_SPECIFIC", 1))
    with pytest.raises(EditedPlanError, match="edited or corrupted"):
        read_routing_plan(path, targets=["y"], opened=open_routing_plan(path, ["y"]))
    path.write_text(written)
    _changed(path, lambda d: d["targets"]["b\\c"]["symbols"]["a/b"].update(route="ROUTE_EXPERIMENTAL_ONLY"))
    with pytest.raises(EditedPlanError, match="its decisions do not match its plan_id"):
        read_routing_plan(path, targets=["y"], opened=open_routing_plan(path, ["y"]))


def test_without_explanations_all_else_is_the_same(plan: RoutingPlan, tmp_path: Path) -> None:
    write_routing_plan(plan, tmp_path)
    back = read_routing_plan(tmp_path, explained=False)
    assert back.pairs.equals(plan.pairs.drop("margins", "reasons"))
    assert back.pooled.equals(plan.pooled)
    assert back.metadata == plan.metadata


@pytest.mark.parametrize("explained", [True, False])
@pytest.mark.parametrize(("field", "value"), [("reasons", "text"), ("margins", {"min_score": "x"}), ("margins", None)])
def test_explanations_are_checked_whether_they_are_kept_or_not(
    plan: RoutingPlan, tmp_path: Path, field: str, value: object, *, explained: bool
) -> None:
    path = write_routing_plan(plan, tmp_path)
    document = read_json_artifact(path)
    document["targets"]["y"]["symbols"]["AAPL"][field] = value
    document["metadata"]["plan_id"] = decisions_id(plan.metadata.config_hash, [canonical_json(document["targets"])])
    write_json_artifact(path, document)
    with pytest.raises(BrokenPlanError, match="does not fit the schema"):
        read_routing_plan(path, explained=explained)


def test_the_layout_of_the_contract(plan: RoutingPlan, tmp_path: Path) -> None:
    write_routing_plan(plan, tmp_path)
    document = json.loads((tmp_path / "routing_plan.json").read_text())
    assert {"schema_version", "generated_at", "git_commit", "config_hash", "metrics_snapshot", "plan_id"} <= set(
        document["metadata"]
    )
    pooled = document["targets"]["y"]["cross_sectional"]
    assert {"state", "score", "reasons"} <= set(pooled)
    assert (pooled["state"], pooled["score"]) == ("WEAK_BUT_OK", 0.56)
    symbol = document["targets"]["y"]["symbols"]["AAPL"]
    assert {"route", "cs_state", "local_state", "scores", "reasons", "margins"} <= set(symbol)
    assert symbol["route"] == "ROUTE_CROSS_SECTIONAL"
    assert set(document["targets"]["../z"]["symbols"]) == set(NAMES)


@pytest.mark.parametrize("limit", [0, 10_000])
def test_yaml_is_the_json(plan: RoutingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(yaml_text, "BLOCK_STYLE_LIMIT", limit)
    write_routing_plan(plan, tmp_path)
    document = read_json_artifact(tmp_path / "routing_plan.json")
    assert yaml.safe_load((tmp_path / "routing_plan.yaml").read_bytes()) == document
    assert document["targets"]["y"]["symbols"]["é"]["margins"]["min_p_skill"] == 1e-06


def test_only_the_formats_asked_for(plan: RoutingPlan, tmp_path: Path) -> None:
    other = RoutingPlan(
        metadata=plan.metadata,
        routing=plan.routing.model_copy(update={"dump_plan_as": ("MARKDOWN",)}),
        planning=plan.planning,
        pooled=plan.pooled,
        pairs=plan.pairs,
    )
    write_routing_plan(plan, tmp_path)
    write_routing_plan(other, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "routing_plan.json",
        "routing_plan.md",
        "routing_plan.parquet",
    ]


def test_the_page_is_short_and_names_are_harmless(plan: RoutingPlan, tmp_path: Path) -> None:
    write_routing_plan(plan, tmp_path)
    page = (tmp_path / "routing_plan.md").read_text()
    assert "| CROSS_SECTIONAL | 3 |" in page
    assert page.count("\n") < 120
    for line in page.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def _changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    document.pop("content_sha256")
    change(document)
    write_json_artifact(path, document)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["metadata"].update(schema_version=9), "schema_version is 9, expected 1"),
        (lambda d: d["metadata"].pop("schema_version"), "schema_version is missing"),
        (lambda d: d.pop("metadata"), "schema_version is missing"),
        (lambda d: d["metadata"].pop("plan_id"), "metadata do not fit the schema"),
        (lambda d: d.pop("targets"), "its decisions do not match its plan_id: edited"),
        (lambda d: d["targets"]["y"]["symbols"]["AAPL"].update(route="ROUTE_BOTH"), "do not match its plan_id"),
        (lambda d: d["metadata"].update(config_hash="0"), "do not match its plan_id"),
        (lambda d: d.pop("config"), "does not fit the schema"),
        (lambda d: d["config"]["routing"].update(min_minority_events=-1), "its config does not match its config_hash"),
        (lambda d: d["config"]["routing"].update(min_minority_events=29), "its config does not match its config_hash"),
        (lambda d: d["config"]["planning"].update(short_symbols_teach_pool=False), "does not match its config_hash"),
        (lambda d: d["config"]["planning"].update(a_key_of_nobody=1), "does not match its config_hash"),
    ],
)
def test_what_was_changed_is_refused(plan: RoutingPlan, tmp_path: Path, change: Any, message: str) -> None:
    path = write_routing_plan(plan, tmp_path)
    _changed(path, change)
    with pytest.raises(BrokenPlanError) as caught:
        read_routing_plan(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_edited_by_hand_are_used_only_on_request(plan: RoutingPlan, tmp_path: Path) -> None:
    """The hash over the file was made again too, and `plan_id` covers the hash of the settings, not the settings."""
    path = write_routing_plan(plan, tmp_path)
    _changed(path, lambda d: d["config"]["routing"]["symbol"].update(min_score=0.51))
    for read in (read_routing_plan, read_routing_origin):
        with pytest.raises(EditedPlanError, match=r"routing_plan\.json: its config .* edited; .*--allow-edited"):
            read(path)
    back = read_routing_plan(path, allow_edited=True)
    edited = Config(routing=back.routing, planning=back.planning)
    assert back.routing.symbol.min_score == 0.51
    assert back.metadata.config_hash == edited.config_hash != plan.metadata.config_hash
    assert back.plan_id == read_routing_origin(path, allow_edited=True)[0].plan_id != plan.plan_id
    _changed(path, lambda d: d["config"]["routing"].update(min_minority_events=-1))
    with pytest.raises(BrokenPlanError, match="does not fit the schema"):
        read_routing_plan(path, allow_edited=True)


def test_how_files_are_written_is_no_setting_that_decides(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    _changed(path, lambda d: d["config"]["routing"].update(dump_plan_as=["JSON"]))
    assert read_routing_plan(path).plan_id == plan.plan_id


def test_edited_truncated_and_absent(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"ROUTE_CROSS_SECTIONAL", b"ROUTE_SYMBOL_SPECIFIC", 1))
    with pytest.raises(BrokenPlanError, match="edited or corrupted"):
        read_routing_plan(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BrokenPlanError, match="cannot be read as JSON"):
        read_routing_origin(path)
    with pytest.raises(PlanNotFoundError):
        read_routing_plan(tmp_path / "absent")


def test_counts_and_names(plan: RoutingPlan) -> None:
    assert plan.targets == ("../z", "b\\c", "y")
    assert plan.symbols == tuple(sorted(NAMES))
    assert sum(plan.route_counts().values()) == 3 * len(NAMES)


def test_a_number_beyond_64_bits_is_refused(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    document = read_json_artifact(path)
    document["targets"]["y"]["symbols"]["AAPL"]["evidence"]["sample_size"] = 2**63
    document["metadata"]["plan_id"] = decisions_id(
        document["metadata"]["config_hash"], [canonical_json(document["targets"])]
    )
    write_json_artifact(path, document)
    with pytest.raises(BrokenPlanError, match="'sample_size' is too large"):
        read_routing_plan(path)


def test_a_number_that_fits_no_column_is_refused_where_edits_are_allowed(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path)
    document = json.loads(path.read_text())
    document["targets"]["y"]["symbols"]["AAPL"]["evidence"]["n_blocks"] = 10**400
    path.write_text(json.dumps(document))
    with pytest.raises(BrokenPlanError, match="does not fit the schema"):
        read_routing_plan(path, allow_edited=True)


@pytest.mark.parametrize("after", ["metadata", "config", "targets"])
def test_a_member_added_by_hand_hides_nothing(plan: RoutingPlan, tmp_path: Path, after: str) -> None:
    path = write_routing_plan(plan, tmp_path / "p")
    document = json.loads(path.read_text())
    content = {key: value for key, value in document.items() if key != "content_sha256"} | {f"{after}x": 1}
    _write_by_hand(path, content)
    assert read_routing_plan(path).pairs.equals(plan.pairs)


def test_endless_nesting_is_refused_in_one_line(plan: RoutingPlan, tmp_path: Path) -> None:
    path = write_routing_plan(plan, tmp_path / "p")
    content = json.loads(path.read_text())
    content.pop("content_sha256")
    _write_by_hand(
        path, content, lambda text: text.replace('"plan_id":', f'"a":{"[" * 3000}{"]" * 3000},"plan_id":', 1)
    )
    for read in (read_routing_plan, read_routing_origin):
        with pytest.raises(BrokenPlanError, match="cannot be read as JSON"):
            read(path)


def _write_by_hand(path: Path, content: dict[str, Any], change: Callable[[str], str] = str) -> None:
    """Write with a right content hash, laid out as the product does."""
    members = {key: change(canonical_json(content[key]).decode()) for key in sorted(content)}
    canonical = "{" + ",".join(f'"{key}":{text}' for key, text in members.items()) + "}"
    order = sorted(members, key=lambda key: (["metadata", "config", "targets"].index(key.removesuffix("x")), key))
    lines = [f'"{key}":{members[key]}' for key in order]
    lines.append(f'"content_sha256":"{hashlib.sha256(canonical.encode()).hexdigest()}"')
    path.write_text("{" + ",\n".join(lines) + "}\n")
