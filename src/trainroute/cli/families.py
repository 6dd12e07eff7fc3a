"""The command `families`."""

from trainroute.cli.answers import FORMAT, FormatOptions, answer_written
from trainroute.cli.options import VERBOSITY, Verbosity


def families(
    name: str | None = None,
    *,
    form: FormatOptions = FORMAT,
    verbosity: Verbosity = VERBOSITY,
) -> int:
    """List the model families: stage, tasks, rows, what they read and need, whether that is installed.

    Parameters
    ----------
    name
        Show this family wholly, with its hyperparameters and their defaults.
    """
    del verbosity
    from trainroute.families import describe_families
    from trainroute.report.families import families_markdown, print_families, print_family

    found = describe_families(None if name is None else [name])
    if form.format != "text":
        answer_written(form, document=found if name is None else found[0], markdown=families_markdown(found))
    elif name is None:
        print_families(found)
    else:
        print_family(found[0])
    return 0
