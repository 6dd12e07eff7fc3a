"""Which of two sides is better, where each has been read in the light of its own group."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from trainroute.metrics.group_reading import GroupPosterior

Float = NDArray[np.float64]
_LEAST = 1e-6


def p_exceeds(first: GroupPosterior, second: GroupPosterior, *, null: float = 0.5) -> Float:
    """Probability that a member's true value on one side exceeds that on the other; equal values count one half.

    Each side is exactly at the null with its ``p_none``, else normal with its mean and ``spread``; given both groups,
    the two sides of a member are taken as independent.

    Parameters
    ----------
    first, second : GroupPosterior
        Of the same members.
    null : float
        The value that means "nothing" on both sides.

    Returns
    -------
    ndarray of shape (n_members,)
        NaN where a side has no evidence.
    """
    effects = [(side.mean - null) / np.maximum(1 - side.p_none, _LEAST) for side in (first, second)]
    both = ndtr((effects[0] - effects[1]) / np.hypot(first.spread, second.spread))
    first_alone, second_alone = ndtr(effects[0] / first.spread), ndtr(-effects[1] / second.spread)
    a, b = first.p_none, second.p_none
    found: Float = a * b / 2 + (1 - a) * b * first_alone + a * (1 - b) * second_alone + (1 - a) * (1 - b) * both
    return found


def opinion_pool(first: Float, second: Float) -> Float:
    """Probability with the geometric mean of the odds of two: of the one that is there, where the other is NaN.

    References
    ----------
    Genest & Zidek (1986), Combining probability distributions: a critique and an annotated bibliography, Statistical
    Science 1: the logarithmic opinion pool with equal weights.
    """
    odds = [logit(np.clip(opinion, _LEAST, 1 - _LEAST)) for opinion in (first, second)]
    filled = [np.where(np.isnan(own), other, own) for own, other in (odds, odds[::-1])]
    pooled: Float = expit((filled[0] + filled[1]) / 2)
    return pooled
