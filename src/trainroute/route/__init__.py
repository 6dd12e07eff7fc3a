"""Candidates to decisions: where each (target, symbol) trains, and why."""

from trainroute.route.decide import build_routing_plan
from trainroute.route.explain import Explanation, explain

__all__ = ["Explanation", "build_routing_plan", "explain"]
