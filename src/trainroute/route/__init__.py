"""Candidates to decisions: where each (target, symbol) trains, and why."""

from trainroute.records.routing_io import read_routing_plan as load_routing_plan
from trainroute.records.routing_io import write_routing_plan
from trainroute.route.compare import compare_routes
from trainroute.route.decide import build_routing_plan, routes_of
from trainroute.route.explain import Explanation, explain
from trainroute.route.explain_markdown import explanation_markdown, survey_markdown
from trainroute.route.flip import Flip
from trainroute.route.outcomes import RuleOutcome
from trainroute.route.route_changes import RouteChanges
from trainroute.route.survey import Survey, survey

__all__ = [
    "Explanation",
    "Flip",
    "RouteChanges",
    "RuleOutcome",
    "Survey",
    "build_routing_plan",
    "compare_routes",
    "explain",
    "explanation_markdown",
    "load_routing_plan",
    "routes_of",
    "survey",
    "survey_markdown",
    "write_routing_plan",
]
