from pathlib import Path

import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.plan import (
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.results import (
    FailureKind,
    FailureSummary,
    FamilyCounts,
    FamilyResult,
    FamilyState,
    Interval,
    RouteSkill,
    TrainingReport,
)
from trainroute.records.vocabulary import RouteState, Stage, TrainingType
from trainroute.report.tables import print_lines, print_plan, print_summary
from trainroute.route import build_routing_plan


def _plan(n_jobs: int) -> TrainingPlan:
    jobs = tuple(
        TrainingJob(
            job_id=f"sym_y_[red]_{number:03d}",
            target="y_[red]",
            symbol=f"{number:03d}",
            route=RouteState.ROUTE_SYMBOL_SPECIFIC,
            training_type=TrainingType.SYMBOL_SPECIFIC,
            model_families=("LightGBM",),
            priority=400,
            reason="",
            metadata=JobMetadata(),
        )
        for number in range(n_jobs)
    )
    metadata = TrainingPlanMetadata(
        schema_version=1,
        generated_at="2026-01-01T00:00:00+00:00",
        run_id="run",
        git_commit=None,
        config_hash="c",
        routing_plan_path="",
        routing_plan_id="r",
        metrics_snapshot="m",
        data_fingerprint=None,
        symbols=tuple(job.symbol or "" for job in jobs),
        targets=("y_[red]",),
        code_version="0",
        total_jobs=n_jobs,
        model_families=("LightGBM",),
        plan_id="0123abcd",
    )
    summary = TrainingPlanSummary(
        by_route={},
        by_type={},
        by_priority={},
        total_cs_jobs=0,
        total_symbol_jobs=n_jobs,
        total_blocked=3,
        blocked_reasons={"below the score minimum": 3},
    )
    return TrainingPlan(metadata=metadata, feature_sets={}, jobs=jobs, summary=summary)


def _report(**given: object) -> TrainingReport:
    fields: dict[str, object] = {
        "schema_version": 2,
        "plan_id": "0123abcd",
        "run_id": "run",
        "generated_at": "",
        "planned": 4,
        "executed": 3,
        "resumed": 0,
        "nothing_to_train": None,
        "stopped": None,
        "families": {
            "LightGBM": FamilyCounts(planned=4, executed=3, failed=1, seconds=12.34, peak_memory_bytes=300 << 20)
        },
        "routes": {
            "ROUTE_BOTH": RouteSkill(
                models=3, targets=1, expected_score=0.61, realised_score=0.587, difference=Interval(estimate=-0.023)
            )
        },
        "failures": {"error": FailureSummary(pairs=1, example="sym_a × LightGBM: too hot", advice="cool it")},
        "gaps": ("sym_a × LightGBM: failed: too hot",),
        "trained_again": (),
        "left_over_models": (),
        "results": (),
    }
    return TrainingReport(**{**fields, **given})  # type: ignore[arg-type]


def _printed(capsys: pytest.CaptureFixture[str], **given: object) -> str:
    fields: dict[str, object] = {"routing": None, "plan": _plan(2), "report": None, "files": {}}
    print_summary(**{**fields, **given})  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_summary_counts_names_gaps_and_says_where_files_are(capsys: pytest.CaptureFixture[str]) -> None:
    out = _printed(capsys, report=_report(), files={"models": Path("results/models"), "ledger": Path("results/l")})
    rows = [line.split() for line in out.splitlines()]
    assert ["LightGBM", "4", "3", "·", "1", "·", "·", "·", "12.3", "300"] in rows
    assert ["ROUTE_BOTH", "3", "0.610", "0.587"] in rows
    assert "2 jobs planned: 0 pooled, 2 local" in out
    assert "3 of 4 job × family trained" in out
    assert "sym_a × LightGBM: failed: too hot\nafter error (1): cool it\n" in out
    assert "models  results/models\nledger  results/l" in out


def test_only_the_first_gaps_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    out = _printed(capsys, report=_report(gaps=tuple(f"gap {number:02d}" for number in range(25))))
    assert out.count("gap ") == 10
    assert "and 15 more" in out


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (None, "not trained; 'trainroute train' trains by this plan"),
        (_report(nothing_to_train="nothing to train: 3 of 3 blocked"), "nothing to train: 3 of 3 blocked"),
        (_report(executed=1, resumed=2), "1 of 4 job × family trained, 2 kept from an earlier run"),
        (_report(stopped="interrupted"), "stopped: interrupted; 'trainroute train --resume' goes on"),
    ],
)
def test_summary_says_what_was_not_done(
    report: TrainingReport | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in _printed(capsys, report=report)


_NEEDS = "keras and torch are not installed; pip install 'trainroute[keras]'"


def _without_library(job_id: str, family: str, state: FamilyState) -> FamilyResult:
    failure = FailureKind.MISSING_LIBRARY if state is FamilyState.FAILED else None
    given = {"job_id": job_id, "family": family, "target": "y", "route": RouteState.ROUTE_BOTH}
    return FamilyResult(**given, stage=Stage.GPU, state=state, reason=_NEEDS, failure=failure)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [FamilyState.SKIPPED, FamilyState.FAILED])
@pytest.mark.parametrize("nothing", [None, "nothing to train: MLP, VAE not installed"])
def test_families_without_their_library_are_named_once_with_what_installs_it(
    state: FamilyState, nothing: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tuple(_without_library(f"cs_y{n}", family, state) for n in range(30) for family in ("MLP", "VAE"))
    gaps = (*(f"{row.job_id} × {row.family}: {state}: {row.reason}" for row in results), "sym_a × LSTM: failed: hot")
    out = _printed(capsys, report=_report(results=results, gaps=gaps, nothing_to_train=nothing))
    assert out.count(_NEEDS) == out.count(f"MLP, VAE: {_NEEDS}\n") == 1
    assert ("sym_a × LSTM: failed: hot" in out) == (nothing is None)
    assert "more, see" not in out


def test_no_table_of_scores_without_a_score(capsys: pytest.CaptureFixture[str]) -> None:
    assert "realised" in _printed(capsys, report=_report())
    assert "realised" not in _printed(capsys, report=_report(routes={}))


def test_names_are_printed_as_they_are_and_many_jobs_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(_plan(60))
    out = capsys.readouterr().out
    assert "sym_y_[red]_000" in out
    assert "sym_y_[red]_039" in out
    assert "sym_y_[red]_040" not in out
    assert "the first 40 of 60" in out
    assert "3 (target, symbol) blocked" in out
    assert "3 below the score minimum" in out


@pytest.mark.parametrize(("targets", "shown"), [(3, 3), (50, 50), (51, 50)])
def test_routes_of_many_targets_are_cut_and_counted_in_all(
    capsys: pytest.CaptureFixture[str], targets: int, shown: int
) -> None:
    rows = [
        {"target": f"y_[red]_{number:02d}", "symbol": symbol, "score": 0.6, "sample_size": 9000}
        for number in range(targets)
        for symbol in (None, "A", "B")
    ]
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t")
    routing = build_routing_plan(table, Config(), generated_at="2024", git_commit=None)
    print_plan(_plan(1), routing)
    out = capsys.readouterr().out
    assert out.count(" WEAK_BUT_OK ") == shown
    assert (f", the first {shown} of {targets}" in out) == (shown < targets)
    assert f"y_[red]_{shown - 1:02d}" in out
    (total,) = (line.split() for line in out.splitlines() if line.strip().startswith("all"))
    assert sum(map(int, filter(str.isdigit, total))) == 2 * targets


def test_long_lines_are_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines("x" * 500)
    assert capsys.readouterr().out == "x" * 500 + "\n"


def test_a_name_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines("y\x1b[2J\u202ee\n", "naïve · 目标")
    assert capsys.readouterr().out == "y\\x1b[2J\\u202ee\\n\nnaïve · 目标\n"
