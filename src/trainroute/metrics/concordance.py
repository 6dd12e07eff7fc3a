"""Concordance: the one score of the product, for every (symbol, fold) of a panel in one call.

The concordance of a prediction is the share of pairs with different outcomes that it puts in the right order; a tied
prediction counts one half. It is the ROC-AUC of a binary outcome and Harrell's C, without censoring, of a real one.
Pairs are formed only inside a group, so nothing is won by knowing which group is high.

1. Sort the rows by group and prediction (``ordering.py``), as many whole groups at a time as fit the processor's cache;
   float32 is sorted several times faster than float64.
2. Count for each row its comparable partners ``m``, whose outcome differs, and its concordant ones ``c``, ties one
   half: from running totals where a group has at most two outcomes, else by counting dominated points
   (``dominance.py``). Both are exact.
3. Per group ``score = sum(c) / sum(m)``, per row ``influence = 2 (c - score * m) / sum(m)``.

The influence is the first-order (Hájek) term of a ratio of U-statistics (Hoeffding 1948, "A class of statistics with
asymptotically normal distribution"); for a binary outcome it is made of the structural components of DeLong, DeLong &
Clarke-Pearson (1988, "Comparing the areas under two or more correlated ROC curves"). Its sums over blocks of dates give
standard errors (``intervals.py``).
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike

from trainroute.metrics.dominance import Float, binary_partners, general_partners
from trainroute.metrics.ordering import Groups, Integer, Ordered, Values, order_rows, stable_order

_CHUNK_ROWS = 1 << 14


@dataclass(frozen=True, kw_only=True)
class GroupedConcordance:
    """The concordance of each group, and what each row contributes to it.

    Attributes
    ----------
    score : ndarray of shape (n_groups,), float64
        In [0, 1]; NaN where the group has no comparable pair.
    pairs : ndarray of shape (n_groups,), float64
        Unordered pairs of rows with different outcomes.
    rows : ndarray of shape (n_groups,), int64
        Rows with an outcome.
    influence : ndarray of shape (n_rows,), float64
        First-order influence of each row on the score of its group. Sums to 0 in each group; 0 for rows without an
        outcome and in groups without a pair.
    """

    score: Float
    pairs: Float
    rows: Integer
    influence: Float


def task_concordance(
    prediction: ArrayLike, outcome: ArrayLike, group: ArrayLike, n_groups: int, *, classes: ArrayLike = ()
) -> GroupedConcordance:
    """Score predictions of any task: one column of scores, or one per class.

    Parameters
    ----------
    prediction : array-like of shape (n_rows,), (n_rows, 1) or (n_rows, n_classes)
    outcome, group, n_groups
        As for ``grouped_concordance``.
    classes : array-like of shape (n_classes,)
        The outcome that each column stands for; only for more than one column.
    """
    columns = np.asarray(prediction)
    if columns.ndim > 1 and columns.shape[1] > 1:
        return multiclass_concordance(columns, outcome, classes, group, n_groups)
    return grouped_concordance(columns.reshape(len(columns)), outcome, group, n_groups)


def concordance(prediction: ArrayLike, outcome: ArrayLike) -> float:
    """Share of pairs with different outcomes that the prediction puts in order.

    Parameters
    ----------
    prediction, outcome : array-like of shape (n_rows,)
        Rows with a NaN outcome are left out.

    Returns
    -------
    float
        In [0, 1]; NaN without a comparable pair.

    Raises
    ------
    ValueError
        If shapes differ, or a prediction or an outcome that counts is not finite.

    Examples
    --------
    >>> concordance([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    >>> concordance([1.0, 1.0, 1.0], [3.0, -1.0, 2.0])
    0.5
    """
    group = np.zeros(np.shape(prediction), dtype=np.int64)
    return float(grouped_concordance(prediction, outcome, group, 1).score[0])


def grouped_concordance(
    prediction: ArrayLike, outcome: ArrayLike, group: ArrayLike, n_groups: int
) -> GroupedConcordance:
    """Concordance inside each group, all groups at once.

    Parameters
    ----------
    prediction, outcome : array-like of shape (n_rows,)
        Only the order inside a group counts. Rows with a NaN outcome are left out, whatever their prediction.
    group : array-like of shape (n_rows,), integer
        In 0..n_groups-1, in any order.
    n_groups : int

    Returns
    -------
    GroupedConcordance

    Raises
    ------
    ValueError
        If shapes differ, a group is out of range, or a prediction or an outcome that counts is not finite.

    Examples
    --------
    >>> grouped_concordance([1, 2, 9, 8], [0.1, 0.3, 0.1, 0.3], [0, 0, 1, 1], 2).score
    array([1., 0.])
    """
    rows = _labelled(outcome, group, n_groups)
    prediction = rows.finite(prediction)
    score, total, influence = np.full(n_groups, np.nan), np.zeros(n_groups), np.zeros(rows.n_rows)
    for part, at in rows.groups.chunks(_CHUNK_ROWS):
        ordered = order_rows(Groups(rows.groups.sizes[part]), prediction[at])
        partners = _partners(ordered, rows.outcome[at][ordered.order])
        score[part], total[part], of_row = _measure(ordered.groups, *partners)
        influence[rows.kept[at][ordered.order]] = of_row
    return GroupedConcordance(score=score, pairs=total / 2, rows=rows.groups.sizes, influence=influence)


def multiclass_concordance(
    scores: ArrayLike, outcome: ArrayLike, classes: ArrayLike, group: ArrayLike, n_groups: int
) -> GroupedConcordance:
    """Mean one-against-one ROC-AUC inside each group.

    For each ordered pair of classes (a, b) that both occur in the group, the score of class a is measured as a
    prediction of a on the rows of a and b; the result is the mean over these pairs (Hand & Till 2001, "A simple
    generalisation of the area under the ROC curve for multiple class classification problems", Machine Learning 45).

    Parameters
    ----------
    scores : array-like of shape (n_rows, n_classes)
        Column k is the score of ``classes[k]``; only its order inside a group counts.
    outcome : array-like of shape (n_rows,)
        The class of each row; NaN where there is none.
    classes : array-like of shape (n_classes,)
        Distinct values.
    group : array-like of shape (n_rows,), integer
        In 0..n_groups-1, in any order.
    n_groups : int

    Returns
    -------
    GroupedConcordance

    Raises
    ------
    ValueError
        If shapes differ, a group is out of range, a score that counts is not finite, or an outcome is not a class.
    """
    rows = _labelled(outcome, group, n_groups)
    label = _class_index(rows.outcome, np.asarray(classes))
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] != np.size(classes):  # noqa: PLR2004 - a table has two axes
        raise ValueError(f"scores must have one column per class ({np.size(classes)}); got shape {scores.shape}")
    scores = np.stack([rows.finite(column) for column in scores.T], axis=1)
    score, total, influence = np.full(n_groups, np.nan), np.zeros(n_groups), np.zeros(rows.n_rows)
    for part, at in rows.groups.chunks(_CHUNK_ROWS):
        groups = Groups(rows.groups.sizes[part])
        score[part], total[part], of_row = _one_against_one(groups, scores[at], label[at])
        influence[rows.kept[at]] = of_row
    return GroupedConcordance(score=score, pairs=total / 2, rows=rows.groups.sizes, influence=influence)


@dataclass(frozen=True)
class _Labelled:
    """The rows with an outcome, group by group; ``kept`` says which rows they are."""

    n_rows: int
    kept: Integer
    outcome: Values
    groups: Groups

    def finite(self, prediction: ArrayLike) -> Values:
        values = np.asarray(prediction)
        if values.shape != (self.n_rows,):
            raise ValueError(f"prediction must have shape ({self.n_rows},) as the outcome has; got {values.shape}")
        values = values[self.kept]
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise ValueError(f"{bad} of {len(values)} predictions of rows with an outcome are NaN or infinite")
        return values


def _labelled(outcome: ArrayLike, group: ArrayLike, n_groups: int) -> _Labelled:
    outcome, group = np.asarray(outcome), np.asarray(group)
    if outcome.ndim != 1 or group.shape != outcome.shape:
        raise ValueError(
            f"outcome and group must be one-dimensional, of one length; got {outcome.shape}, {group.shape}"
        )
    if not np.issubdtype(group.dtype, np.integer):
        raise ValueError(f"group must be integer; got {group.dtype}")
    if len(group) and not (group.min() >= 0 and group.max() < n_groups):
        raise ValueError(f"group must be in 0..{n_groups - 1}; got {group.min()}..{group.max()}")
    if np.isinf(outcome).any():
        raise ValueError("outcome must be finite, or NaN where there is none; got an infinite value")
    kept = np.flatnonzero(~np.isnan(outcome))
    group = group[kept]
    if (group[1:] < group[:-1]).any():
        kept = kept[stable_order(group, n_groups)]
    return _Labelled(len(outcome), kept, outcome[kept], Groups(np.bincount(group, minlength=n_groups)))


def _class_index(outcome: Values, classes: Values) -> Integer:
    order = np.argsort(classes)
    place = np.minimum(np.searchsorted(classes[order], outcome), max(len(classes) - 1, 0))
    found = classes[order][place] == outcome
    if not found.all():
        raise ValueError(f"outcome must be one of the classes {classes.tolist()}; got {outcome[~found][0]}")
    return order[place]


def _one_against_one(groups: Groups, scores: Values, label: Integer) -> tuple[Float, Float, Float]:
    """Mean score and twice the pairs of each group, influence of each row, over ordered pairs of classes."""
    score, total, terms = np.zeros(len(groups.sizes)), np.zeros(len(groups.sizes)), np.zeros(len(groups.sizes))
    influence = np.zeros(len(label))
    number = groups.spread(np.arange(len(groups.sizes)))
    for first, other in permutations(range(scores.shape[1]), 2):
        used = np.flatnonzero((label == first) | (label == other))
        pair = Groups(np.bincount(number[used], minlength=len(groups.sizes)))
        ordered = order_rows(pair, scores[used, first])
        at = used[ordered.order]
        part, pairs, of_row = _measure(pair, *binary_partners(ordered, label[at] == first))
        score += np.nan_to_num(part)
        total += pairs / 2
        terms += pairs > 0
        influence[at] += of_row
    return _ratio(score, terms), total, influence / groups.spread(np.maximum(terms, 1))


def _partners(ordered: Ordered, outcome: Values) -> tuple[Float, Float]:
    groups = ordered.groups
    high = outcome > groups.spread(groups.reduce(np.minimum, outcome))
    two_outcomes = high <= (outcome == groups.spread(groups.reduce(np.maximum, outcome)))
    return binary_partners(ordered, high) if two_outcomes.all() else general_partners(ordered, outcome)


def _measure(groups: Groups, concordant: Float, comparable: Float) -> tuple[Float, Float, Float]:
    """Score and twice the pairs of each group, influence of each row."""
    total = groups.reduce(np.add, comparable)
    score = _ratio(groups.reduce(np.add, concordant), total)
    expected = groups.spread(np.nan_to_num(score)) * comparable
    return score, total, 2 * (concordant - expected) / groups.spread(np.maximum(total, 1))


def _ratio(part: Float, whole: Float) -> Float:
    """Divide; NaN where the whole is 0."""
    result = np.full(len(whole), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
