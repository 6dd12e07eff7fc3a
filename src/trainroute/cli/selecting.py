"""From options to the jobs that they mean."""

from trainroute.cli.options import SelectorOptions
from trainroute.records.selectors import Selector


def selector_of(options: SelectorOptions) -> Selector:
    """Return what the options of a command select."""
    return Selector(
        targets=options.targets,
        symbols=options.symbols,
        routes=options.routes,
        types=options.types,
        families=options.families,
        min_priority=options.min_priority,
        jobs=options.job,
    )
