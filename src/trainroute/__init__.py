"""trainroute: decide where to train, then train exactly that."""

__version__ = "0.1.0"
