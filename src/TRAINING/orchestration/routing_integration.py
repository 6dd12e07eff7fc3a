"""Routing as one call, for programs that measure on their own."""

from trainroute.compat import generate_routing_plan_after_feature_selection, load_routing_plan

__all__ = ["generate_routing_plan_after_feature_selection", "load_routing_plan"]
