"""The command `explain`."""

from pathlib import Path

from trainroute.cli.answers import ANSWER, AnswerOptions, answer
from trainroute.cli.options import OUTPUT, READ, VERBOSITY, Flag, OutputOptions, ReadOptions, Verbosity
from trainroute.errors import PlanError, UsageError
from trainroute.logs import LOGGER
from trainroute.parallel import ahead
from trainroute.records.places import DEFAULT_OUTPUT, ROUTING_PLAN_DIR
from trainroute.records.routing_file import open_routing_plan


def explain(
    *,
    target: str | None = None,
    symbol: str | None = None,
    blocked: Flag = False,
    output: OutputOptions = OUTPUT,
    answers: AnswerOptions = ANSWER,
    read: ReadOptions = READ,
    verbosity: Verbosity = VERBOSITY,
) -> int:
    """Say why a pair, a target or a symbol is routed as it is, and what would change it; or why pairs are blocked.

    With --target and --symbol: every rule in order with value, threshold and distance, what is trained, and the nearest
    single change of a metric or a threshold that gives another route. With one of them: its pairs, nearest to a
    threshold first. With --blocked: blocked pairs, counted by reason.

    Parameters
    ----------
    target
        A target of the routing plan.
    symbol
        A symbol of it.
    blocked
        Only pairs that are blocked: of all, of the target or of the symbol.
    """
    del verbosity
    if target is None and symbol is None and not blocked:
        raise UsageError("explain what? Give --target, --symbol or both, or --blocked")
    output_dir = output.output_dir or DEFAULT_OUTPUT
    directory = output_dir / ROUTING_PLAN_DIR
    wanted = None if target is None else [target]
    with (
        ahead(lambda: open_routing_plan(directory, wanted or ())) as opening,
        ahead(lambda: _untrained(output_dir, allow_edited=read.allow_edited)) as training,
    ):
        from trainroute.records.routing_io import read_routing_plan
        from trainroute.route import explain as explain_pair
        from trainroute.route import explanation_markdown, survey, survey_markdown
    plan = read_routing_plan(directory, targets=wanted, allow_edited=read.allow_edited, opened=opening())
    del opening  # it holds the text of the whole plan
    if target is not None and not plan.targets:  # to say which targets there are
        plan = read_routing_plan(directory, allow_edited=read.allow_edited)
    made_from, jobs = training()
    if made_from not in (None, plan.plan_id):
        LOGGER.warning("the training plan there was made from other decisions, so what it trains is not said")
    untrained = jobs if made_from == plan.plan_id else {}
    if target is not None and symbol is not None and not blocked:
        pair = explain_pair(plan, target, symbol, untrained=untrained)
        answer(answers, lines=pair.lines(), document=pair.to_dict(), markdown=explanation_markdown(pair))
    else:
        found = survey(plan, target=target, symbol=symbol, blocked=blocked, untrained=untrained)
        limit = answers.limit
        page = survey_markdown(found, limit)
        answer(answers, lines=found.lines(limit), document=found.to_dict(limit), markdown=page)
    return 0


def _untrained(output_dir: Path, *, allow_edited: bool) -> tuple[str | None, dict[str, str]]:
    """Return the routing plan that the training plan was made from, and which of the jobs asked for train nothing.

    A training plan that cannot be read is no reason not to explain decisions: a warning says so.
    """
    from trainroute.plan.load import find_training_plan_dir, read_untrained

    try:
        directory = find_training_plan_dir(output_dir, None)
        return (None, {}) if directory is None else read_untrained(directory, allow_edited=allow_edited)
    except PlanError as error:
        LOGGER.warning("what the training plan trains is not known: %s", error)
        return None, {}
