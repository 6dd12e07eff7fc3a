"""What the routes of two plans follow from, one factor at a time: evidence, settings, what hysteresis holds on to.

`Factors` decides with any mixture of the two plans; `blamed` says which factors give the new answer.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import reduce
from operator import or_

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.routing import RoutingPlan
from trainroute.route.decide import routed
from trainroute.route.facts import Facts
from trainroute.route.hysteresis import ROUTE, STATE
from trainroute.route.recorded import facts_of_plan

CLASSIFIES = "routing.stability_classification."
_PAIR = ["target", "symbol"]


class Factor(StrEnum):
    """Something that may differ between two plans; the value is the cause in one word."""

    EVIDENCE = "metric"
    CONFIG = "config"
    MEMORY = "hysteresis"


Mixture = frozenset[Factor]
"""The factors that are those of the plan after; the others are those of the plan before."""


class Factors:
    """Two plans, and every mixture of what they follow from.

    Parameters
    ----------
    before, after : RoutingPlan
    settings : collection of str
        The config keys that differ.

    Attributes
    ----------
    plans : tuple of RoutingPlan
    before, after : tuple of Facts and RoutingConfig
        What they follow from.
    differ : tuple of Factor
        Those that are not the same in both plans.
    """

    def __init__(self, before: RoutingPlan, after: RoutingPlan, settings: Collection[str]) -> None:
        self.plans = (before, after)
        self.before, self.after = ((facts_of_plan(plan), plan.routing) for plan in (before, after))
        self._classified = any(key.startswith(CLASSIFIES) for key in settings)
        of_same_pairs = before.pairs.select(_PAIR).equals(after.pairs.select(_PAIR))
        evidence = before.metadata.metrics_snapshot != after.metadata.metrics_snapshot or not of_same_pairs
        differs = (evidence, bool(settings), _memory_differs(self.before[0], self.after[0]))
        self.differ = tuple(factor for factor, other in zip(Factor, differs, strict=True) if other)
        self._made: dict[Mixture, Facts] = {frozenset(): self.before[0], self.all: self.after[0]}

    @property
    def all(self) -> Mixture:
        """The plan after."""
        return frozenset(self.differ)

    def mixtures(self) -> list[Mixture]:
        """Return the mixtures that `blamed` asks for: the plan after, each factor alone, and all but each."""
        alone = [frozenset({factor}) for factor in self.differ]
        return list(dict.fromkeys([self.all, *alone, *(self.all - one for one in alone)]))

    def facts(self, mixture: Mixture) -> Facts:
        """Return the evidence and memory of a mixture, with stability as its settings classify it."""
        if mixture not in self._made:
            own, other = (self.before, self.after)[:: -1 if Factor.EVIDENCE in mixture else 1]
            foreign = {factor for factor in self.differ if (factor in mixture) != (Factor.EVIDENCE in mixture)}
            columns = [STATE, ROUTE] if Factor.MEMORY in foreign else []
            columns += ["stability"] if Factor.CONFIG in foreign and self._classified else []
            self._made[mixture] = _with_columns_of(own[0], other[0], columns) if columns else own[0]
        return self._made[mixture]

    def config(self, mixture: Mixture) -> RoutingConfig:
        """Return the settings of a mixture."""
        return (self.after if Factor.CONFIG in mixture else self.before)[1]

    def blamed(self, answer: Callable[[Mixture], pl.Series]) -> pl.DataFrame:
        """Say for each row which factors give the new answer.

        See `blamed_of`.

        Parameters
        ----------
        answer : callable
            The answers of a mixture, one per row.

        Returns
        -------
        polars.DataFrame
            A boolean column for each factor, named ``by_<factor>``.
        """
        answers = {mixture: answer(mixture) for mixture in self.mixtures()}
        found = blamed_of(
            answers[self.all],
            alone={f"by_{factor}": answers[frozenset({factor})] for factor in self.differ},
            without={f"by_{factor}": answers[self.all - {factor}] for factor in self.differ},
        )
        nobody = [pl.lit(value=False).alias(f"by_{factor}") for factor in Factor if factor not in self.differ]
        names = [f"by_{factor}" for factor in Factor]
        return answers[self.all].to_frame("new").hstack(found).with_columns(nobody).select(names)


def blamed_of(
    new: pl.Series, *, alone: Mapping[str, pl.Series | None], without: Mapping[str, pl.Series | None]
) -> pl.DataFrame:
    """Say for each row which of several changes gave the new answer.

    Those that give it alone; where none does, those without which it is not given; else all.

    Parameters
    ----------
    new : polars.Series
        The answers after all changes.
    alone, without : mapping of str to polars.Series or None
        For each change the answers with it alone, and with all but it; None: it cannot be made so.

    Returns
    -------
    polars.DataFrame
        A boolean column for each change, by its name.
    """
    nobody = pl.repeat(value=False, n=len(new), eager=True)
    gives = {name: nobody if found is None else found.eq_missing(new) for name, found in alone.items()}
    needed = {name: nobody if found is None else found.ne_missing(new) for name, found in without.items()}
    some_give, some_needed = (reduce(or_, found.values(), nobody) for found in (gives, needed))
    return pl.DataFrame({name: given | (~some_give & (needed[name] | ~some_needed)) for name, given in gives.items()})


def routes_again(pairs: pl.DataFrame, facts: Facts, config: RoutingConfig) -> pl.Series:
    """Decide again, and return the routes of some pairs, in their order."""
    of_targets = pl.col("target").is_in(pairs["target"].unique().implode())
    facts = replace(facts, pooled=facts.pooled.filter(of_targets), pairs=facts.pairs.filter(of_targets))
    decided = routed(facts, config)[1].select(*_PAIR, "route")
    return pairs.select(_PAIR).join(decided, on=_PAIR, how="left", maintain_order="left")["route"]


def any_blamed(*factors: Factor) -> pl.Expr:
    """Whether one of the factors is blamed; without a name, whether any is."""
    return pl.any_horizontal(pl.col(f"by_{factor}") for factor in factors or Factor)


def words(evidence: pl.Expr) -> pl.Expr:
    """Name the factors that are blamed, such as ``metric and config``; ``evidence`` is what evidence is called."""
    named = [
        pl.when(f"by_{factor}").then(evidence if factor is Factor.EVIDENCE else pl.lit(factor.value))
        for factor in Factor
    ]
    return pl.concat_str(named, separator=" and ", ignore_nulls=True)


def _memory_differs(before: Facts, after: Facts) -> bool:
    return any(
        not first.join(second, on=on, how="inner", suffix="_after")
        .filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in (STATE, ROUTE)))
        .is_empty()
        for first, second, on in ((before.pooled, after.pooled, ["target"]), (before.pairs, after.pairs, _PAIR))
    )


def _with_columns_of(facts: Facts, other: Facts, columns: Collection[str]) -> Facts:
    """Return facts with some columns as the other plan has them, where it has the target or pair."""
    frames = []
    for own, theirs, on in ((facts.pooled, other.pooled, ["target"]), (facts.pairs, other.pairs, _PAIR)):
        found = theirs.select(*on, *(pl.col(name).alias(f"{name}_other") for name in columns), there=pl.lit(value=True))
        joined = own.join(found, on=on, how="left", maintain_order="left")
        there = pl.col("there").is_not_null()
        taken = [pl.when(there).then(f"{name}_other").otherwise(name).alias(name) for name in columns]
        frames.append(joined.with_columns(taken).select(own.columns))
    return Facts(pooled=frames[0], pairs=frames[1], provided=facts.provided)
