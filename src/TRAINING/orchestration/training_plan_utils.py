"""Print and compare training plans."""

from trainroute.compat import compare_training_plans, print_training_plan_summary

__all__ = ["compare_training_plans", "print_training_plan_summary"]
