"""Candidates to decisions: where each (target, symbol) trains, and why."""

from trainroute.records.routing_io import read_routing_plan as load_routing_plan
from trainroute.records.routing_io import write_routing_plan
from trainroute.route.decide import build_routing_plan
from trainroute.route.explain import Explanation, RuleOutcome, explain

__all__ = [
    "Explanation",
    "RuleOutcome",
    "build_routing_plan",
    "explain",
    "load_routing_plan",
    "write_routing_plan",
]
