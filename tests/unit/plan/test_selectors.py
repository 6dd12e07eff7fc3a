"""Selectors: the same names for every command, each against the plain condition on each job."""

from typing import Any

import pytest

from trainroute.errors import UnknownNameError
from trainroute.records.plan import TrainingPlan
from trainroute.records.selectors import EVERYTHING, Selector, select_jobs


def _ids(plan: TrainingPlan, **asked: Any) -> list[str]:
    return [job.job_id for job in select_jobs(plan, Selector(**asked))]


def test_nothing_asked_is_everything_in_order(plan: TrainingPlan) -> None:
    assert select_jobs(plan, EVERYTHING) == plan.jobs


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"targets": ("own",)}, {"sym_own_OWN", "sym_own_CS"}),
        ({"targets": ("o*", "lane")}, {"sym_own_OWN", "sym_own_CS", "cs_lane"}),
        ({"targets": ("dead",)}, set()),
        ({"symbols": ("SHORT",)}, {"cs_pooled"}),
        ({"symbols": ("[BO]*",), "targets": ("pooled",)}, {"cs_pooled", "sym_pooled_BOTH", "sym_pooled_OWN"}),
        ({"routes": ("both",)}, {"sym_pooled_BOTH"}),
        ({"routes": ("ROUTE_EXP*",)}, {"sym_own_CS", "cs_lane"}),
        ({"routes": ("*SPECIFIC", "Both")}, {"sym_pooled_BOTH", "sym_pooled_OWN", "sym_own_OWN"}),
        ({"types": ("CROSS_*",)}, {"cs_pooled", "cs_lane"}),
        ({"families": ("xg*",), "types": ("symbol_specific",)}, {"sym_pooled_BOTH", "sym_pooled_OWN", "sym_own_OWN"}),
        ({"jobs": ("cs_lane", "sym_own_CS")}, {"cs_lane", "sym_own_CS"}),
        ({"min_priority": 500}, {"cs_pooled"}),
        ({"min_priority": 499}, {"cs_pooled", "sym_own_OWN", "sym_pooled_BOTH", "sym_pooled_OWN"}),
    ],
)
def test_each_selector_means_these_jobs(plan: TrainingPlan, asked: dict[str, Any], expected: set[str]) -> None:
    assert set(_ids(plan, **asked)) == expected
    order = [job.job_id for job in plan.jobs]
    assert _ids(plan, **asked) == sorted(expected, key=order.index)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"targets": ("poled",)}, "unknown target of this plan 'poled'; did you mean 'pooled'"),
        ({"targets": ("z*",)}, "unknown target of this plan 'z\\*'"),
        ({"symbols": ("own",)}, "did you mean 'OWN'"),
        ({"routes": ("BLOCKED",)}, "unknown route of jobs 'ROUTE_BLOCKED'"),
        ({"types": ("pooled",)}, "unknown training type 'pooled'"),
        ({"families": ("LightGMB",)}, "did you mean 'LightGBM'"),
        ({"jobs": ("sym_own_*",)}, "unknown job of this plan"),
        ({"jobs": ("cs_poled",)}, "did you mean 'cs_pooled'"),
    ],
)
def test_what_the_plan_does_not_have_is_a_usage_error(plan: TrainingPlan, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UnknownNameError, match=said) as caught:
        _ids(plan, **asked)
    assert caught.value.exit_code == 2
