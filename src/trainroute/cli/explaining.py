"""The command `explain`."""

from trainroute.cli.answers import ANSWER, AnswerOptions, answer
from trainroute.cli.options import OUTPUT, READ, VERBOSITY, Flag, OutputOptions, ReadOptions, Verbosity
from trainroute.errors import UsageError
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
    directory = (output.output_dir or DEFAULT_OUTPUT) / ROUTING_PLAN_DIR
    wanted = None if target is None else [target]
    with ahead(lambda: open_routing_plan(directory, wanted or ())) as opening:
        from trainroute.records.routing_io import read_routing_plan
        from trainroute.route import explain as explain_pair
        from trainroute.route import explanation_markdown, survey, survey_markdown
    plan = read_routing_plan(directory, targets=wanted, allow_edited=read.allow_edited, opened=opening())
    del opening  # it holds the text of the whole plan
    if target is not None and not plan.targets:  # to say which targets there are
        plan = read_routing_plan(directory, allow_edited=read.allow_edited)
    if target is not None and symbol is not None and not blocked:
        pair = explain_pair(plan, target, symbol)
        answer(answers, lines=pair.lines(), document=pair.to_dict(), markdown=explanation_markdown(pair))
    else:
        found = survey(plan, target=target, symbol=symbol, blocked=blocked)
        limit = answers.limit
        page = survey_markdown(found, limit)
        answer(answers, lines=found.lines(limit), document=found.to_dict(limit), markdown=page)
    return 0
