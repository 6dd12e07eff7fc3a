"""Decisions to jobs, and everything that is asked of a plan on disk; imported when it is asked for."""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

if TYPE_CHECKING:
    from trainroute.plan.beside import plan_to_validate, problems_beside, routing_plan_beside
    from trainroute.plan.budget import Budget
    from trainroute.plan.build import build_training_plan
    from trainroute.plan.compare import FieldChange, JobChange, PlanDiff, compare_plans
    from trainroute.plan.legacy import lists_no_symbols, with_symbols
    from trainroute.plan.load import find_training_plan_dir, load_training_plan, read_untrained
    from trainroute.plan.problem import Problem, Severity
    from trainroute.plan.select import (
        apply_training_plan_filter,
        filter_symbols_by_training_plan,
        filter_targets_by_training_plan,
        get_cs_jobs,
        get_jobs_for_symbol,
        get_jobs_for_target,
        get_model_families_for_job,
        get_symbol_jobs,
        get_training_plan_summary,
    )
    from trainroute.plan.staleness import PlanInputs, changes_since, inputs_beside, require_fresh
    from trainroute.plan.unplanned import unplanned_jobs, with_feature_sets
    from trainroute.plan.validate import validate_plan
    from trainroute.plan.write import check_training_plan_dir, write_training_plan
    from trainroute.records.places import DEFAULT_OUTPUT, ROUTING_PLAN_DIR

_HOMES = {
    "Budget": "trainroute.plan.budget",
    "DEFAULT_OUTPUT": "trainroute.records.places",
    "FieldChange": "trainroute.plan.compare",
    "JobChange": "trainroute.plan.compare",
    "PlanDiff": "trainroute.plan.compare",
    "PlanInputs": "trainroute.plan.staleness",
    "Problem": "trainroute.plan.problem",
    "ROUTING_PLAN_DIR": "trainroute.records.places",
    "Severity": "trainroute.plan.problem",
    "apply_training_plan_filter": "trainroute.plan.select",
    "build_training_plan": "trainroute.plan.build",
    "changes_since": "trainroute.plan.staleness",
    "check_training_plan_dir": "trainroute.plan.write",
    "compare_plans": "trainroute.plan.compare",
    "filter_symbols_by_training_plan": "trainroute.plan.select",
    "filter_targets_by_training_plan": "trainroute.plan.select",
    "find_training_plan_dir": "trainroute.plan.load",
    "get_cs_jobs": "trainroute.plan.select",
    "get_jobs_for_symbol": "trainroute.plan.select",
    "get_jobs_for_target": "trainroute.plan.select",
    "get_model_families_for_job": "trainroute.plan.select",
    "get_symbol_jobs": "trainroute.plan.select",
    "get_training_plan_summary": "trainroute.plan.select",
    "inputs_beside": "trainroute.plan.staleness",
    "lists_no_symbols": "trainroute.plan.legacy",
    "load_training_plan": "trainroute.plan.load",
    "plan_to_validate": "trainroute.plan.beside",
    "problems_beside": "trainroute.plan.beside",
    "read_untrained": "trainroute.plan.load",
    "require_fresh": "trainroute.plan.staleness",
    "routing_plan_beside": "trainroute.plan.beside",
    "unplanned_jobs": "trainroute.plan.unplanned",
    "validate_plan": "trainroute.plan.validate",
    "with_feature_sets": "trainroute.plan.unplanned",
    "with_symbols": "trainroute.plan.legacy",
    "write_training_plan": "trainroute.plan.write",
}

__all__ = [
    "DEFAULT_OUTPUT",
    "ROUTING_PLAN_DIR",
    "Budget",
    "FieldChange",
    "JobChange",
    "PlanDiff",
    "PlanInputs",
    "Problem",
    "Severity",
    "apply_training_plan_filter",
    "build_training_plan",
    "changes_since",
    "check_training_plan_dir",
    "compare_plans",
    "filter_symbols_by_training_plan",
    "filter_targets_by_training_plan",
    "find_training_plan_dir",
    "get_cs_jobs",
    "get_jobs_for_symbol",
    "get_jobs_for_target",
    "get_model_families_for_job",
    "get_symbol_jobs",
    "get_training_plan_summary",
    "inputs_beside",
    "lists_no_symbols",
    "load_training_plan",
    "plan_to_validate",
    "problems_beside",
    "read_untrained",
    "require_fresh",
    "routing_plan_beside",
    "unplanned_jobs",
    "validate_plan",
    "with_feature_sets",
    "with_symbols",
    "write_training_plan",
]

__getattr__ = imported_when_asked(__name__, _HOMES)
