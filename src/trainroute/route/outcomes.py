"""Rules applied to one row, as values: what was compared with what, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from trainroute.route.checks import Check, Level

TITLES = {
    Level.GATE: "must hold",
    Level.STRONG: "for STRONG",
    Level.WEAK_BUT_OK: "for WEAK_BUT_OK",
    Level.EXPERIMENTAL: "for EXPERIMENTAL",
    Level.POOL: "for the pool to serve the symbol",
    Level.CHOICE: "where both sides are good (first: local wins; second, failed: pooled wins)",
}
"""What the rules of each level are for, in the order in which they apply."""


@dataclass(frozen=True, kw_only=True)
class RuleOutcome:
    """One rule applied to one side.

    Attributes
    ----------
    level : str
        ``GATE``, the state that it is a condition of, or ``POOL`` and ``CHOICE`` for the rules between the sides.
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
    key : str or None
        The config key that holds the threshold.
    """

    level: str
    rule: str
    value: float | str | None
    relation: str
    threshold: float | str
    distance: float | None
    passed: bool
    skipped: bool
    key: str | None = None

    def line(self) -> str:
        """Write the rule as one line."""
        wanted = f"{self.relation} {self.threshold}"
        if self.skipped:
            return f"skip {self.rule}: not provided ({wanted})"
        value = "none" if self.value is None else self.value
        compared = f"({wanted})" if isinstance(self.threshold, str) else wanted
        distance = "" if self.distance is None else f" ({self.distance:+g})"
        return f"{'pass' if self.passed else 'FAIL'} {self.rule}: {value} {compared}{distance}"


def outcomes_of(frame: pl.DataFrame, checks: Sequence[Check]) -> tuple[RuleOutcome, ...]:
    """Apply rules to the one row of a frame."""
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
            key=check.key,
        )
        for number, check in enumerate(checks)
    )


def rule_lines(rules: Sequence[RuleOutcome]) -> list[str]:
    """Write rules as lines, each level below its title."""
    lines = []
    for level, title in TITLES.items():
        of_level = [f"    {rule.line()}" for rule in rules if rule.level == level.value]
        lines += [f"  {title}:", *of_level] if of_level else []
    return lines
