"""What differs between two plans."""

from collections.abc import Callable
from typing import Any

import msgspec

from trainroute.plan import compare_plans
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan

Row = dict[str, Any]


def test_a_plan_equals_itself(plan: TrainingPlan) -> None:
    diff = compare_plans(plan, plan)
    assert diff.same
    assert diff.to_dict() == {"added_jobs": [], "removed_jobs": [], "changed_jobs": []}


def test_added_removed_and_changed(
    plan: TrainingPlan, rows: list[Row], route: Callable[..., RoutingPlan], plan_of: Callable[..., TrainingPlan]
) -> None:
    rows[1]["p_local_better"] = 0.9  # BOTH → SYMBOL_SPECIFIC
    rows[2]["p_local_better"] = 0.5  # CROSS_SECTIONAL → BOTH
    rows[9]["score_shrunk"] = 0.4  # own · OWN is blocked
    diff = compare_plans(plan, plan_of(route(rows)))
    assert [job.job_id for job in diff.added] == ["sym_pooled_CS"]
    assert [job.job_id for job in diff.removed] == ["sym_own_OWN"]
    changed = {change.job_id: {c.field: (c.before, c.after) for c in change.changes} for change in diff.changed}
    assert set(changed) == {"cs_pooled", "sym_pooled_BOTH"}
    assert changed["sym_pooled_BOTH"]["route"] == ("ROUTE_BOTH", "ROUTE_SYMBOL_SPECIFIC")
    assert changed["cs_pooled"] == {
        "metadata.symbols": (("BOTH", "CS", "SHORT"), ("CS", "SHORT")),
        "metadata.both_symbols": (("BOTH",), ("CS",)),
    }


def test_the_dict_is_plain(plan: TrainingPlan, plan_of: Callable[..., TrainingPlan], routing: RoutingPlan) -> None:
    found = compare_plans(plan, plan_of(routing, families=("LightGBM",))).to_dict()
    assert found["changed_jobs"][0] == {
        "job_id": "cs_lane",
        "changes": {"metadata.families_left_out": {"before": found_before(plan, "cs_lane"), "after": {}}},
    }
    assert found["changed_jobs"][1]["changes"]["model_families"] == {
        "before": ["LightGBM", "XGBoost", "Ensemble"],
        "after": ["LightGBM"],
    }


def found_before(plan: TrainingPlan, job_id: str) -> dict[str, str]:
    """Return what a job left out in the first plan."""
    return next(job for job in plan.jobs if job.job_id == job_id).metadata.families_left_out


def test_text_and_cost_alone_are_no_change(plan: TrainingPlan) -> None:
    job = plan.jobs[0]
    metadata = msgspec.structs.replace(job.metadata, estimated_cost_seconds=1e9)
    other = msgspec.structs.replace(job, reason="said otherwise", metadata=metadata)
    assert compare_plans(plan, msgspec.structs.replace(plan, jobs=(other, *plan.jobs[1:]))).same
