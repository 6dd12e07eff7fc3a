"""The command `diff`."""

from pathlib import Path

from trainroute.cli.answers import ANSWER, AnswerOptions, answer
from trainroute.cli.options import READ, SELECTOR, VERBOSITY, Flag, ReadOptions, SelectorOptions, Verbosity


def diff(
    before: Path,
    after: Path,
    *,
    exit_code: Flag = False,
    select: SelectorOptions = SELECTOR,
    answers: AnswerOptions = ANSWER,
    read: ReadOptions = READ,
    verbosity: Verbosity = VERBOSITY,
) -> int:
    """Compare two plans: jobs added, removed and changed, and routes, each with the metric or setting that did it.

    With --targets, --symbols, --routes, --types, --families, --min-priority or --job only these jobs are compared, as
    either plan has them, and the pairs that go with them; --routes BLOCKED means pairs that are or were blocked.

    Parameters
    ----------
    before
        Output directory, directory of a training plan or a routing plan, or the JSON of one.
    after
        The same of the other plan.
    exit_code
        End with 1 where the plans differ, 0 where they are the same.
    """
    del verbosity
    from trainroute.cli.selecting import selector_of
    from trainroute.report.differences import difference_lines, difference_markdown
    from trainroute.stages import comparing

    found = comparing.diff(
        before, after, limit=answers.limit, selector=selector_of(select), allow_edited=read.allow_edited
    )
    answer(answers, lines=difference_lines(found), document=found, markdown=difference_markdown(found))
    return 1 if exit_code and not found.same else 0
