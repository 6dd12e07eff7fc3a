"""Candidates to decisions: where each (target, symbol) trains, and why. What a name needs is imported with it."""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked
from trainroute.records.routing_io import read_routing_plan as load_routing_plan
from trainroute.records.routing_io import write_routing_plan

if TYPE_CHECKING:
    from trainroute.route.compare import compare_routes
    from trainroute.route.decide import build_routing_plan, routes_of
    from trainroute.route.explain_markdown import explanation_markdown, survey_markdown
    from trainroute.route.explaining import Explanation, explain
    from trainroute.route.flip import Flip
    from trainroute.route.outcomes import RuleOutcome
    from trainroute.route.pins import overruled_pins
    from trainroute.route.route_changes import RouteChanges
    from trainroute.route.surveying import Survey, survey

_HOMES = {
    "Explanation": "trainroute.route.explaining",
    "Flip": "trainroute.route.flip",
    "RouteChanges": "trainroute.route.route_changes",
    "RuleOutcome": "trainroute.route.outcomes",
    "Survey": "trainroute.route.surveying",
    "build_routing_plan": "trainroute.route.decide",
    "compare_routes": "trainroute.route.compare",
    "explain": "trainroute.route.explaining",
    "explanation_markdown": "trainroute.route.explain_markdown",
    "overruled_pins": "trainroute.route.pins",
    "routes_of": "trainroute.route.decide",
    "survey": "trainroute.route.surveying",
    "survey_markdown": "trainroute.route.explain_markdown",
}

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
    "overruled_pins",
    "routes_of",
    "survey",
    "survey_markdown",
    "write_routing_plan",
]

__getattr__ = imported_when_asked(__name__, _HOMES)
