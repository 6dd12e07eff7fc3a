"""Arguments to config to pipeline: the program ``trainroute``."""

from trainroute.cli.entry import compatibility_main, main

__all__ = ["compatibility_main", "main"]
