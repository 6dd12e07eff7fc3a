"""Read a training plan and ask it what to train."""

from trainroute.compat import validate_training_plan
from trainroute.plan import (
    apply_training_plan_filter,
    filter_symbols_by_training_plan,
    filter_targets_by_training_plan,
    get_cs_jobs,
    get_jobs_for_symbol,
    get_jobs_for_target,
    get_model_families_for_job,
    get_symbol_jobs,
    get_training_plan_summary,
    load_training_plan,
)

__all__ = [
    "apply_training_plan_filter",
    "filter_symbols_by_training_plan",
    "filter_targets_by_training_plan",
    "get_cs_jobs",
    "get_jobs_for_symbol",
    "get_jobs_for_target",
    "get_model_families_for_job",
    "get_symbol_jobs",
    "get_training_plan_summary",
    "load_training_plan",
    "validate_training_plan",
]
