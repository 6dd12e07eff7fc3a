"""Explanations as Markdown, for a comment on a pull request: headings, lists and tables in which any name is safe."""

from collections.abc import Iterable, Sequence

from trainroute.records.differences import shown
from trainroute.records.markdown import cell, table
from trainroute.route.explaining import Explanation, pooled_on_symbol, score_line
from trainroute.route.flip import Flip
from trainroute.route.outcomes import TITLES, RuleOutcome
from trainroute.route.surveying import SHOWN, Survey

_RULE_HEADINGS = ("rule", "value", "wanted", "distance", "passed")
_FLIP_HEADINGS = ("what", "is", "would have to be", "change", "route then")
_PAIR_HEADINGS = ("target", "symbol", "route", "pooled", "local", "nearest threshold", "distance", "why")


def explanation_markdown(found: Explanation) -> str:
    """Write the explanation of one pair."""
    own, pooled = found.decision, found.cross_sectional
    trained = f"trained: {' and '.join(found.trained) or 'nothing'}"
    return _page(
        _heading(2, f"{found.target} · {found.symbol}: {own.route.value}"),
        _list([*own.reasons, trained, *([] if found.not_trained is None else [found.not_trained])]),
        _heading(3, f"Pooled side: {pooled.state.value}"),
        _list([score_line(pooled), pooled_on_symbol(own), *pooled.reasons]),
        *_rules(found.pooled_rules),
        _heading(3, f"Local side: {own.local_state.value}"),
        _list([score_line(own.scores)]),
        *_rules(found.local_rules),
        _heading(3, "Between the two sides"),
        *_rules(found.between_rules),
        _heading(3, "Nearest flip: what alone gives another route"),
        table(_FLIP_HEADINGS, [_flip_row(flip) for flip in found.shown_flips]) if found.flips else cell(found.no_flip),
        *([f"{found.more_flips} more."] if found.more_flips else []),
    )


def survey_markdown(found: Survey, limit: int = SHOWN) -> str:
    """Write counts first, then at most ``limit`` pairs."""
    total = found.pairs.height
    parts = [
        _heading(2, f"{found.title}: {total} pairs"),
        table(["route", "pairs"], [(route, count) for route, count in found.routes.items() if count]),
    ]
    parts += [f"Not trained: {said}." for said in found.not_trained()]
    if found.blocked:
        parts += [_heading(3, "Why blocked"), table(["cause", "pairs"], found.blocked.items())]
    if found.pooled is not None:
        parts += [_heading(3, f"Pooled side: {found.pooled.state.value}"), _list(found.pooled.reasons)]
        parts += _rules(found.pooled_rules)
    columns = ("target", "symbol", "route", "cs_state", "local_state", "nearest", "distance", "reason")
    listed = found.pairs.head(limit).select(columns).rows()
    rows = [(*row[:6], None if row[6] is None else f"{row[6]:+g}", row[7]) for row in listed]
    parts += [_heading(3, "Pairs, nearest to a threshold first"), table(_PAIR_HEADINGS, rows)]
    return _page(*parts, *([f"{total - limit} more, see --limit."] if total > limit else []))


def _page(*parts: str) -> str:
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _heading(depth: int, text: str) -> str:
    return f"{'#' * depth} {cell(text)}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {cell(line)}" for line in lines)


def _rules(rules: Sequence[RuleOutcome]) -> list[str]:
    """Write one table per level, its title above it."""
    parts = []
    for level, title in TITLES.items():
        rows = [_rule_row(rule) for rule in rules if rule.level == level.value]
        parts += [f"*{title}*", table(_RULE_HEADINGS, rows)] if rows else []
    return parts


def _rule_row(rule: RuleOutcome) -> tuple[str, ...]:
    distance = "" if rule.distance is None else f"{rule.distance:+g}"
    wanted = f"{rule.relation} {shown(rule.threshold)}"
    if rule.skipped:
        return rule.rule, "not provided", wanted, distance, "skipped"
    return rule.rule, shown(rule.value), wanted, distance, "yes" if rule.passed else "NO"


def _flip_row(flip: Flip) -> tuple[str, ...]:
    change = "" if flip.change is None else f"{flip.change:+.6g}"
    relative = "" if flip.relative is None else f" ({flip.relative:+.2%})"
    return (flip.subject, shown(flip.before), shown(flip.after), change + relative, flip.route.value)
