"""The training report as Markdown."""

from collections.abc import Iterable, Sequence

from trainroute.records.markdown import bounded_table, cell, table
from trainroute.records.results import FamilyResult, FamilyState, Interval, TrainingReport

_BYTES_PER_MB = 1 << 20
_MOST_LINES = 500


def report_text(report: TrainingReport) -> str:
    """Write the report for a person: what was planned, what ran, how well, and why the rest did not."""
    sections = [
        "# Training report\n",
        f"Plan `{report.plan_id}`, {report.generated_at}.\n",
        f"{report.nothing_to_train or _said(report)}.\n",
        *_families(report),
        *_failures(report),
        *_routes(report),
        *_models(report.results),
        *_listed("Not trained, and why", report.gaps),
        *_listed("Had a model, trained again", report.trained_again),
        *_listed("Models of jobs that this plan does not have, left in place", report.left_over_models),
    ]
    return "\n".join(sections)


def _said(report: TrainingReport) -> str:
    kept = f", {report.resumed} kept from an earlier run" if report.resumed else ""
    stopped = f"; stopped: {cell(report.stopped)}" if report.stopped else ""
    return f"{report.executed} of {report.planned} planned models were trained{kept}{stopped}"


def _families(report: TrainingReport) -> Iterable[str]:
    if report.families:
        yield "## By family\n"
        counts = ("planned", "executed", "resumed", "failed", "skipped", "not_run", "not_planned")
        yield table(
            ("family", *(name.replace("_", " ") for name in counts), "seconds", "peak memory (MB)"),
            [
                (name, *(n[count] for count in counts), f"{n.seconds:.1f}", _megabytes(n.peak_memory_bytes))
                for name, n in report.families.items()
            ],
        )


def _failures(report: TrainingReport) -> Iterable[str]:
    if report.failures:
        yield "## Failures, and what to do\n"
        yield table(
            ("failure", "pairs", "for example", "what to do"),
            [(kind.replace("_", " "), f.pairs, f.example, f.advice) for kind, f in report.failures.items()],
        )


def _routes(report: TrainingReport) -> Iterable[str]:
    if report.routes:
        yield "## Expected by routing, realised on the holdout\n"
        yield table(
            ("route", "models", "targets", "expected", "realised", "difference", "slope", "intercept"),
            [
                (
                    *(route, s.models, s.targets, s.expected_score, s.realised_score),
                    *map(_estimate, (s.difference, s.slope, s.intercept)),
                )
                for route, s in report.routes.items()
            ],
        )
        yield (
            "Means weighted by scored rows, with 95 % intervals over targets. The line is *realised − 0.5 = intercept "
            "+ slope × (expected − 0.5)* (Mincer & Zarnowitz 1969): 0 and 1 where routing expects right.\n"
        )


def _estimate(found: Interval | None) -> str:
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.estimate:+.3f}"
    return f"{found.estimate:+.3f} ({found.low:+.3f} … {found.high:+.3f})"


def _models(results: Sequence[FamilyResult]) -> Iterable[str]:
    done = [result for result in results if result.state is FamilyState.DONE]
    if done:
        yield "## Models\n"
        yield bounded_table(
            ("target", "symbol", "family", "expected", "holdout score", "seconds", "files"),
            [
                (r.target, r.symbol or "pooled", r.family, r.expected_score, r.score, _seconds(r.seconds), r.artifact)
                for r in done[:_MOST_LINES]
            ],
            total=len(done),
        )


def _seconds(taken: float | None) -> str | None:
    """Write a time; a model whose run was killed just after it was written has none."""
    return None if taken is None else f"{taken:.2f}"


def _listed(title: str, lines: Sequence[str]) -> Iterable[str]:
    if lines:
        yield f"## {title}\n"
        more = [f"- … and {len(lines) - _MOST_LINES} more, in the JSON report"] if len(lines) > _MOST_LINES else []
        yield "\n".join([*(f"- {cell(line)}" for line in lines[:_MOST_LINES]), *more]) + "\n"


def _megabytes(n_bytes: int) -> int:
    return round(n_bytes / _BYTES_PER_MB)
