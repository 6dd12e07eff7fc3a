"""Commands that look at one plan: `show`, `validate`."""

from pathlib import Path

from trainroute.cli.options import (
    PLAN,
    PROGRAM,
    READ,
    SELECTOR,
    VERBOSITY,
    PlanOptions,
    ProgramOptions,
    ReadOptions,
    SelectorOptions,
    Verbosity,
)
from trainroute.errors import PlanNotFoundError
from trainroute.logs import LOGGER
from trainroute.records.places import DEFAULT_OUTPUT
from trainroute.text import print_lines


def show(
    *,
    plan: PlanOptions = PLAN,
    select: SelectorOptions = SELECTOR,
    read: ReadOptions = READ,
    verbosity: Verbosity = VERBOSITY,
) -> int:
    """Print a plan: routes per target, jobs in the order in which they run, what is blocked and why."""
    del verbosity
    from trainroute.cli.selecting import selector_of
    from trainroute.plan import load_training_plan, routing_plan_beside
    from trainroute.plan.legacy import is_legacy_plan
    from trainroute.records.selectors import select_jobs
    from trainroute.report.tables import print_plan

    directory = _plan_dir(plan)
    loaded = load_training_plan(directory, allow_edited=read.allow_edited)
    if select != SELECTOR:
        print_plan(loaded, selected=select_jobs(loaded, selector_of(select)))
        return 0
    routing = routing_plan_beside(directory, allow_edited=read.allow_edited)
    if routing is not None and routing.plan_id != loaded.metadata.routing_plan_id and not is_legacy_plan(loaded):
        LOGGER.warning("the routing plan there is not the one that the jobs were made from, so it is not shown")
        routing = None
    print_plan(loaded, routing)
    return 0


def validate(*, plan: PlanOptions = PLAN, data_dir: Path | None = None, program: ProgramOptions = PROGRAM) -> int:
    """Check a plan: schema, plan against routing plan, staleness, unknown families and names.

    Parameters
    ----------
    data_dir
        The data that the plan is for; checked where it is given.
    """
    from trainroute.config import load_config
    from trainroute.panel import data_fingerprint, data_names
    from trainroute.plan import Severity, plan_to_validate, problems_beside

    directory = _plan_dir(plan)
    loaded, edited = plan_to_validate(directory)
    config = load_config(program.config)
    if data_dir is None:
        problems = problems_beside(directory, loaded, config=config)
    else:
        names, metadata = data_names(data_dir, config.data), loaded.metadata
        comparable = metadata.data_fingerprint is not None and names.symbols.issuperset(metadata.fingerprinted_symbols)
        problems = problems_beside(
            directory,
            loaded,
            config=config,
            data_fingerprint=data_fingerprint(data_dir, metadata.fingerprinted_symbols) if comparable else None,
            data_targets=names.targets,
            data_symbols=names.symbols,
        )
    problems = edited + problems
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    print_lines(*(str(problem) for problem in problems))
    print_lines(f"{directory}: {len(loaded.jobs)} jobs, {errors} problems, {len(problems) - errors} warnings")
    return 1 if errors else 0


def _plan_dir(plan: PlanOptions) -> Path:
    from trainroute.plan import find_training_plan_dir

    found = find_training_plan_dir(plan.output_dir, plan.training_plan_dir)
    if found is None:
        looked = plan.output_dir or DEFAULT_OUTPUT
        raise PlanNotFoundError(f"no training plan under {looked}; run 'trainroute run', or give --training-plan-dir")
    return found
