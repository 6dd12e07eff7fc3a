"""Shares that were counted, with the 95 % interval of Wilson (1927), Probable inference, JASA 22."""

from scipy.stats import binomtest


def bounds(hits: int, total: int) -> tuple[float, float]:
    """Return the interval of a share in percent."""
    found = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    return 100 * found.low, 100 * found.high


def share(hits: int, total: int) -> str:
    """Return a share in percent with its interval, such as ``2.0 (1.2 to 3.3)``."""
    low, high = bounds(hits, total)
    return f"{100 * hits / total:.1f} ({low:.1f} to {high:.1f})"


def at_most(hits: int, total: int) -> str:
    """Return a share in percent with the upper end of its interval, such as ``2.00 % (≤ 3.30 %)``."""
    return f"{100 * hits / total:.2f} % (≤ {bounds(hits, total)[1]:.2f} %)"
