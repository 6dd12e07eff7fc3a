"""The command `route`: to plans, or to what other settings would change in them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trainroute.cli.answers import ANSWER, AnswerOptions, answer
from trainroute.cli.options import Flag
from trainroute.cli.run_options import ROUTE, RouteOptions
from trainroute.errors import UsageError
from trainroute.parallel import ahead
from trainroute.records.places import DEFAULT_OUTPUT


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """What to try without writing anything."""

    dry_run: Flag = False
    """Show what would differ from the plan in the output directory, and write nothing."""
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = ()
    """Try a setting, such as routing.symbol.min_score=0.55 (repeatable); implies --dry-run."""
    sweep: str | None = None
    """Try one key with many values and count the routes: key=first:last:step or key=a,b,c; implies --dry-run."""


TRIAL = TrialOptions()


def route(
    candidates: Path | None = None,
    *,
    options: RouteOptions = ROUTE,
    trial: TrialOptions = TRIAL,
    answers: AnswerOptions = ANSWER,
) -> int:
    """Turn a candidates table of your own into a routing plan and a training plan, or try settings on a stored run.

    With --set, --sweep or --dry-run nothing is written: the difference to the plan in the output directory is shown,
    with the candidates of that run unless a table is given. To apply what was tried, put it into the config and route
    again.

    Parameters
    ----------
    candidates
        Parquet, CSV or JSON with at least target, symbol, score, sample_size.
    """
    if trial != TRIAL:
        return _tried(candidates, options, trial, answers)
    if candidates is None:
        raise UsageError("route what? Give a candidates table; or --dry-run, --set or --sweep to try on a stored run")
    if answers != ANSWER:
        raise UsageError("--format and --limit are for what is tried; give --dry-run, --set or --sweep with them")
    from trainroute.records.candidates_io import read_candidates

    with ahead(partial(read_candidates, candidates)) as reading:
        from trainroute import pipeline
        from trainroute.cli.training import closed
    result = pipeline.route(
        reading(),
        output_dir=options.output_dir or DEFAULT_OUTPUT,
        families=options.families,
        model_types=options.model_types,
        max_jobs=options.max_jobs,
        max_cost=options.max_cost,
        cost_from_ledger=options.cost_from_ledger,
        config=options.config,
    )
    return closed(result)


def _tried(candidates: Path | None, options: RouteOptions, trial: TrialOptions, answers: AnswerOptions) -> int:
    from trainroute import stages
    from trainroute.report.differences import difference_lines, difference_markdown
    from trainroute.report.sweep import sweep_lines, sweep_markdown

    output = options.output_dir or DEFAULT_OUTPUT
    if trial.sweep is not None:
        key, equals, values = trial.sweep.partition("=")
        if not equals:
            raise UsageError(f"--sweep {trial.sweep}: expected key=first:last:step or key=a,b,c")
        _require_no_jobs_asked_for(options)
        found = stages.sweep(
            key, values, trial.settings, output_dir=output, candidates=candidates, config=options.config
        )
        answer(answers, lines=sweep_lines(found), document=found, markdown=sweep_markdown(found))
        return 0
    difference = stages.what_if(
        trial.settings,
        output_dir=output,
        candidates=candidates,
        families=_families(options),
        budget=stages.budget_of(output, options.max_jobs, options.max_cost, cost_from_ledger=options.cost_from_ledger),
        config=options.config,
        limit=answers.limit,
    )
    lines = [*difference_lines(difference), "", "nothing was written"]
    answer(answers, lines=lines, document=difference, markdown=difference_markdown(difference))
    return 0


def _require_no_jobs_asked_for(options: RouteOptions) -> None:
    given = {
        "--families": options.families,
        "--model-types": options.model_types,
        "--max-jobs": options.max_jobs,
        "--max-cost": options.max_cost,
        "--cost-from-ledger": options.cost_from_ledger or None,
    }
    found = [name for name, value in given.items() if value is not None]
    if found:
        raise UsageError(f"--sweep counts routes and plans no jobs; leave out {', '.join(found)}")


def _families(options: RouteOptions) -> tuple[str, ...] | None:
    if options.families is None and options.model_types is None:
        return None
    from trainroute.stages import as_config, families_asked_for

    return tuple(families_asked_for(options.families, options.model_types, as_config(options.config)).names)
