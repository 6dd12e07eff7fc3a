"""Why one (target, symbol) is routed so: every rule in order, with value, threshold and distance.

The plan holds the evidence and the settings that it was made by, so nothing but the plan is needed; and the rules
are the same expressions that made it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from trainroute.records.routing import CrossSectionalDecision, RoutingPlan, SymbolDecision, SymbolScores
from trainroute.records.vocabulary import Mode
from trainroute.route.checks import Check, Level
from trainroute.route.facts import with_target
from trainroute.route.rules import checks_of


@dataclass(frozen=True, kw_only=True)
class RuleOutcome:
    """One rule applied to one side.

    Attributes
    ----------
    level : str
        ``GATE``, or the state that it is a condition of.
    rule : str
        What is compared.
    value : float, str or None
        None where there is no evidence.
    relation, threshold
        What the value had to be, e.g. ``≥`` and 0.53.
    distance : float or None
        Value minus threshold where both are numbers.
    passed : bool
        True also for a rule that is switched off or skipped.
    skipped : bool
        The candidates do not have the column.
    """

    level: str
    rule: str
    value: float | str | None
    relation: str
    threshold: float | str
    distance: float | None
    passed: bool
    skipped: bool

    def line(self) -> str:
        """Write the rule as one line."""
        wanted = f"{self.relation} {self.threshold}"
        if self.skipped:
            return f"skip {self.rule}: not provided ({wanted})"
        value = "none" if self.value is None else self.value
        compared = f"({wanted})" if isinstance(self.threshold, str) else wanted
        distance = "" if self.distance is None else f" ({self.distance:+g})"
        return f"{'pass' if self.passed else 'FAIL'} {self.rule}: {value} {compared}{distance}"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything behind the decision on one (target, symbol)."""

    target: str
    symbol: str
    decision: SymbolDecision
    cross_sectional: CrossSectionalDecision
    pooled_rules: tuple[RuleOutcome, ...]
    local_rules: tuple[RuleOutcome, ...]

    def lines(self) -> list[str]:
        """Write the explanation as plain lines of text."""
        own, pooled = self.decision, self.cross_sectional
        return [
            f"{self.target} · {self.symbol}: {own.route.value}",
            *(f"  {reason}" for reason in own.reasons),
            "",
            f"pooled side: {pooled.state.value}, {_score_line(pooled)}",
            _on_symbol(own),
            *(f"  {reason}" for reason in pooled.reasons),
            *_rule_lines(self.pooled_rules),
            "",
            f"local side: {own.local_state.value}, {_score_line(own.scores)}",
            *_rule_lines(self.local_rules),
        ]


def explain(plan: RoutingPlan, target: str, symbol: str) -> Explanation:
    """Explain one decision of a plan.

    Raises
    ------
    UnknownNameError
        If the plan does not have the target or the symbol.
    """
    decision, own = plan.symbol_decision(target, symbol), plan.cross_sectional(target)
    pooled = plan.pooled.filter(pl.col("target") == target)
    chosen = (pl.col("target") == target) & (pl.col("symbol") == symbol)
    pair = plan.pairs.filter(chosen).select("target", "symbol", "scores", "evidence").unnest("scores", "evidence")
    known = frozenset(plan.metadata.columns_provided)
    sides = {Mode.CROSS_SECTIONAL: pooled, Mode.SYMBOL: with_target(pair, pooled)}
    rules = {side: _outcomes(frame, checks_of(side, plan.routing, known)) for side, frame in sides.items()}
    return Explanation(
        target=target,
        symbol=symbol,
        decision=decision,
        cross_sectional=own,
        pooled_rules=rules[Mode.CROSS_SECTIONAL],
        local_rules=rules[Mode.SYMBOL],
    )


def _outcomes(frame: pl.DataFrame, checks: Sequence[Check]) -> tuple[RuleOutcome, ...]:
    columns = [
        expression.alias(f"{number}.{part}")
        for number, check in enumerate(checks)
        for part, expression in {
            "value": check.value,
            "threshold": check.threshold,
            "passed": check.passes,
            "distance": check.distance,
        }.items()
    ]
    row = frame.select(columns).row(0, named=True)
    return tuple(
        RuleOutcome(
            level=check.level.value,
            rule=check.label,
            value=row[f"{number}.value"],
            relation=check.relation,
            threshold=row[f"{number}.threshold"],
            distance=row[f"{number}.distance"],
            passed=row[f"{number}.passed"],
            skipped=check.skipped,
        )
        for number, check in enumerate(checks)
    )


def _rule_lines(rules: Sequence[RuleOutcome]) -> list[str]:
    lines = []
    for level in Level:
        title = "must hold" if level is Level.GATE else f"for {level.value}"
        lines += [f"  {title}:", *(f"    {rule.line()}" for rule in rules if rule.level == level.value)]
    return lines


def _score_line(side: CrossSectionalDecision | SymbolScores) -> str:
    if side.score is None:
        return "not scored"
    interval = "no interval" if side.score_ci_low is None else f"[{side.score_ci_low:g}, {_number(side.score_ci_high)}]"
    return f"score {side.score:g} {interval}, shrunk {_number(side.score_shrunk)}, p_skill {_number(side.p_skill)}"


def _on_symbol(own: SymbolDecision) -> str:
    scores = own.scores
    return (
        f"pooled side for this symbol: {own.cs_state.value}, score {_number(scores.cs_score)}, "
        f"p_cs_skill {_number(scores.p_cs_skill)}, p_local_better {_number(scores.p_local_better)}"
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
