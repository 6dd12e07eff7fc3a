"""Candidates to decisions: where each (target, symbol) trains, and why."""

from trainroute.records.routing_io import read_routing_plan as load_routing_plan
from trainroute.records.routing_io import write_routing_plan
from trainroute.route.decide import build_routing_plan
from trainroute.route.explain import Explanation, explain
from trainroute.route.flip import Flip
from trainroute.route.outcomes import RuleOutcome
from trainroute.route.survey import Survey, survey

__all__ = [
    "Explanation",
    "Flip",
    "RuleOutcome",
    "Survey",
    "build_routing_plan",
    "explain",
    "load_routing_plan",
    "survey",
    "write_routing_plan",
]
