"""What is believed of a group before it is measured; see ``shrinkage.py`` for the model."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from trainroute.metrics.lattice import Cells


@dataclass(frozen=True, kw_only=True)
class GroupPrior:
    """What is believed of a group before it is measured.

    The numbers were set by simulation of groups with none, few, half and all of their members above the null, so that
    posterior probabilities are calibrated for 40 members and cautious for few.

    Attributes
    ----------
    all_null : float
        Probability that no member has an effect.
    two_effects : float
        Else: probability that the base component has an effect of its own.
    null_shares, null_share_weights : tuple of float
        Possible shares of members in a base without an effect, and their relative probabilities.
    base_shares : tuple of float
        Possible shares of members in a base with an effect, equally likely.
    spreads, spread_weights : tuple of float
        Possible deviations of the effects beside a base without an effect, in units of ``scale``, and their relative
        probabilities.
    base_spreads : tuple of float
        Possible deviations in both components where the base has an effect, equally likely.
    mean_degrees : float
        A mean effect is ``scale`` times Student's t with so many degrees of freedom.
    least_own_share : float
        Of a member's variance, at least this share is its own, whatever the shared error.
    """

    all_null: float = 0.15
    two_effects: float = 0.0
    null_shares: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97)
    null_share_weights: tuple[float, ...] = (8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    base_shares: tuple[float, ...] = (0.3, 0.5, 0.7)
    spreads: tuple[float, ...] = (0.0, 0.3, 0.7, 1.5, 3.0, 5.0)
    spread_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    base_spreads: tuple[float, ...] = (0.3, 0.7, 1.5)
    mean_degrees: float = 3.0
    least_own_share: float = 0.2

    def cells(self, scale: float) -> tuple[Cells, Cells]:
        """Every share with every spread, first beside a base without an effect, then beside one with an effect."""
        weights = np.outer(self.null_share_weights, self.spread_weights).ravel()
        share, spread = np.array(list(product(self.null_shares, self.spreads))).T
        some = 1 - self.all_null
        nothing = Cells(
            share=share,
            spread=spread * scale,
            base=np.zeros(len(share)),
            prior=some * (1 - self.two_effects) * weights / weights.sum(),
        )
        share, spread = np.array(list(product(self.base_shares, self.base_spreads))).T
        two = Cells(
            share=share,
            spread=spread * scale,
            base=spread * scale,
            prior=np.full(len(share), some * self.two_effects / len(share)),
        )
        return nothing, two
