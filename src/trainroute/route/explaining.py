"""Why one (target, symbol) is routed so: every rule in order, what is trained, and the nearest change of its route.

The plan holds the evidence and the settings that it was made by, so nothing but the plan is needed; and the rules
are the same expressions that made it. For more than one pair see `trainroute.route.surveying`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from trainroute.records.routing import CrossSectionalDecision, RoutingPlan, SymbolDecision, SymbolScores
from trainroute.records.vocabulary import Mode
from trainroute.route.between import choice_checks, serving_checks
from trainroute.route.flip import Flip, flips_of
from trainroute.route.outcomes import RuleOutcome, outcomes_of, rule_lines
from trainroute.route.pool import trained_models
from trainroute.route.recorded import facts_of_plan
from trainroute.route.rules import checks_of

_FLIPS_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything behind the decision on one (target, symbol).

    Attributes
    ----------
    target, symbol : str
    decision : SymbolDecision
    cross_sectional : CrossSectionalDecision
    pooled_rules, local_rules, between_rules : tuple of RuleOutcome
        The rules of the two sides, and those between them, in the order in which they apply.
    trained : tuple of str
        The models that serve the pair.
    not_trained : str or None
        Why a model that the route names, or any at all, is not trained.
    flips : tuple of Flip
        The single changes that give the pair another route, the nearest first.
    """

    target: str
    symbol: str
    decision: SymbolDecision
    cross_sectional: CrossSectionalDecision
    pooled_rules: tuple[RuleOutcome, ...]
    local_rules: tuple[RuleOutcome, ...]
    between_rules: tuple[RuleOutcome, ...]
    trained: tuple[str, ...]
    not_trained: str | None
    flips: tuple[Flip, ...]

    @property
    def nearest_metric_flip(self) -> Flip | None:
        """The smallest relative change of one metric that changes the route."""
        return next((flip for flip in self.flips if flip.kind == "metric"), None)

    @property
    def nearest_threshold_flip(self) -> Flip | None:
        """The smallest relative change of one threshold that changes the route."""
        return next((flip for flip in self.flips if flip.kind == "threshold"), None)

    def lines(self) -> list[str]:
        """Write the explanation as plain lines of text."""
        own, pooled = self.decision, self.cross_sectional
        return [
            f"{self.target} · {self.symbol}: {own.route.value}",
            *(f"  {reason}" for reason in own.reasons),
            f"  trained: {' and '.join(self.trained) or 'nothing'}",
            *([] if self.not_trained is None else [f"  {self.not_trained}"]),
            "",
            f"pooled side: {pooled.state.value}, {score_line(pooled)}",
            pooled_on_symbol(own),
            *(f"  {reason}" for reason in pooled.reasons),
            *rule_lines(self.pooled_rules),
            "",
            f"local side: {own.local_state.value}, {score_line(own.scores)}",
            *rule_lines(self.local_rules),
            "",
            "between the two sides",
            *rule_lines(self.between_rules),
            "",
            *self._flip_lines(),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain builtins, for JSON."""
        nearest = {"metric": self.nearest_metric_flip, "threshold": self.nearest_threshold_flip}
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain | {"nearest_flip": msgspec.to_builtins(nearest)}

    @property
    def shown_flips(self) -> tuple[Flip, ...]:
        """The nearest flips: of a metric, of a threshold, then of both kinds; the first of many."""
        nearest = [flip for flip in (self.nearest_metric_flip, self.nearest_threshold_flip) if flip is not None]
        return (*nearest, *(flip for flip in self.flips if flip not in nearest))[:_FLIPS_SHOWN]

    @property
    def more_flips(self) -> int:
        """How many flips `shown_flips` leaves out."""
        return len(self.flips) - len(self.shown_flips)

    @property
    def no_flip(self) -> str:
        """What to say where there are no flips."""
        pin = self.decision.pinned_by
        decides = "" if pin is None else f": {pin} decides"
        return f"no single change of a metric or a threshold gives another route{decides}"

    def _flip_lines(self) -> list[str]:
        if not self.flips:
            return [self.no_flip]
        return [
            "nearest flip: what alone gives another route",
            *(f"  {flip.line()}" for flip in self.shown_flips),
            *([f"  … {self.more_flips} more"] if self.more_flips else []),
        ]


def explain(plan: RoutingPlan, target: str, symbol: str, *, untrained: Mapping[str, str] | None = None) -> Explanation:
    """Explain one decision of a plan.

    Parameters
    ----------
    plan : RoutingPlan
        With all symbols of the target.
    target, symbol : str
    untrained : mapping of str to str, optional
        By id, the jobs of the training plan that train nothing, and why; see `trainroute.plan.read_untrained`.

    Raises
    ------
    UnknownNameError
        If the plan does not have the target or the symbol.
    """
    decision, own = plan.symbol_decision(target, symbol), plan.cross_sectional(target)
    facts, config = facts_of_plan(plan, [target]), plan.routing
    pair, known = facts.pairs.filter(pl.col("symbol") == symbol), facts.provided
    trained, not_trained = trained_models(plan, target, symbol, untrained or {})
    between = [*serving_checks(config, known), *choice_checks(config, known)]
    return Explanation(
        target=target,
        symbol=symbol,
        decision=decision,
        cross_sectional=own,
        pooled_rules=outcomes_of(facts.pooled, checks_of(Mode.CROSS_SECTIONAL, config, known)),
        local_rules=outcomes_of(pair, checks_of(Mode.SYMBOL, config, known)),
        between_rules=outcomes_of(pair, between),
        trained=trained,
        not_trained=not_trained,
        flips=flips_of(facts, config, symbol),
    )


def score_line(side: CrossSectionalDecision | SymbolScores) -> str:
    """Write the scores of a side."""
    if side.score is None:
        return "not scored"
    interval = "no interval" if side.score_ci_low is None else f"[{side.score_ci_low:g}, {_number(side.score_ci_high)}]"
    return f"score {side.score:g} {interval}, shrunk {_number(side.score_shrunk)}, p_skill {_number(side.p_skill)}"


def pooled_on_symbol(own: SymbolDecision) -> str:
    """Write what is known of the pooled side on the rows of a symbol."""
    scores = own.scores
    return (
        f"pooled side for this symbol: {own.cs_state.value}, score {_number(scores.cs_score)}, "
        f"p_cs_skill {_number(scores.p_cs_skill)}, p_local_better {_number(scores.p_local_better)}"
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
