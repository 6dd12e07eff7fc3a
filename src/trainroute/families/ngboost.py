"""NGBoost: boosted trees that fit a whole distribution, by the natural gradient of its likelihood.

A value gets a normal distribution with its own mean and spread, a class gets a categorical one. Every round fits one
shallow tree per parameter of the distribution on a fresh draw of rows, so that a round costs the same however many
rows there are, and all of them are drawn from.

The trees are kept as plain arrays, and predictions are computed from these (`Trees`): the library's own way to save a
model is a pickle.

References
----------
Duan et al., "NGBoost: Natural Gradient Boosting for Probabilistic Prediction", ICML 2020.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import MIN_VALIDATION_ROWS, Rounds, joined
from trainroute.records.vocabulary import Stage, Task

if TYPE_CHECKING:
    from ngboost.ngboost import NGBoost as Booster
    from sklearn.tree._tree import Tree

Outcome = NDArray[np.float64] | NDArray[np.intp]
"""What the library is told of the labels: values in standard deviations, or classes numbered from 0 without gaps."""

_TREES, _INDEX = "trees.npz", "ngboost.json"
_CELLS = 1 << 18
"""So many pairs of row and tree are walked at once; they fit the cache."""


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Regression trees, and how their values add up to the parameters of a distribution.

    The nodes of all trees stand under each other. A leaf points to itself on both sides.

    Attributes
    ----------
    feature, left, right : ndarray of shape (n_nodes,), int32
        A row goes left where ``features[feature] <= threshold``.
    threshold, value : ndarray of shape (n_nodes,), float64
    missing_left : ndarray of shape (n_nodes,), bool
        Where a missing value goes.
    root : ndarray of shape (n_parameters, n_rounds), int32
    step : ndarray of shape (n_rounds,), float64
        Learning rate times the length that the line search found.
    start : ndarray of shape (n_parameters,), float64
        The parameters of the distribution of all training labels.
    depth : ndarray of shape (), int32
        Steps from a root to the farthest leaf.
    """

    feature: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    root: NDArray[np.int32]
    step: NDArray[np.float64]
    start: NDArray[np.float64]
    depth: NDArray[np.int32]

    def parameters(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the parameters of each row's distribution, shape (n_rows, n_parameters)."""
        rows_at_once = max(1, _CELLS // self.root.size)
        chunks = [self._chunk(features[i : i + rows_at_once]) for i in range(0, len(features), rows_at_once)]
        return np.concatenate(chunks) if chunks else np.empty((0, len(self.start)))

    def _chunk(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        row = np.arange(len(features))[:, None]
        node = np.repeat(self.root.reshape(1, -1), len(features), axis=0)
        missing = bool(np.isnan(features).any())
        for _ in range(int(self.depth)):
            given = features[row, self.feature[node]]
            goes_left = given <= self.threshold[node]
            if missing:
                goes_left |= np.isnan(given) & self.missing_left[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        moves = self.value[node].reshape(len(features), *self.root.shape) * self.step
        return np.asarray(self.start - moves.sum(axis=2), dtype=np.float64)


class NGBoostModel(FittedModel):
    """Trees, and the classes or the scale of the labels.

    Parameters
    ----------
    trees : Trees
    task : Task
    n_classes : int
    classes : ndarray of int
        The classes that the training rows held, in the order of the distribution; empty for regression.
    centre, spread : float
        Mean and standard deviation of the training labels, in which the normal distribution is measured.
    rows_per_round : int
        How many rows each round drew.
    """

    def __init__(
        self,
        trees: Trees,
        *,
        task: Task,
        n_classes: int,
        classes: NDArray[np.int64],
        centre: float,
        spread: float,
        rows_per_round: int,
    ) -> None:
        self.trees = trees
        self.task = task
        self.n_classes = n_classes
        self.classes = classes
        self.centre = centre
        self.spread = spread
        self.rows_per_round = rows_per_round

    @property
    def files(self) -> tuple[str, ...]:
        """The arrays of the trees, and the rest as JSON."""
        return (_TREES, _INDEX)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """The number of rounds, and of the rows that each drew."""
        return {"rounds": len(self.trees.step), "rows_per_round": self.rows_per_round}

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:  # noqa: ARG002 - NumPy uses one
        """Predict the mean of each row's distribution; see `FittedModel.predict`."""
        parameters = self.trees.parameters(rows.features)
        if self.task is Task.REGRESSION:
            return self.centre + self.spread * parameters[:, 0]
        chances = _softmax(np.column_stack([np.zeros(len(rows)), parameters]))
        if self.task is Task.BINARY:
            return chances[:, 1]
        every = np.zeros((len(rows), self.n_classes))
        every[:, self.classes] = chances
        return every

    def predict_spread(self, rows: Rows) -> NDArray[np.float64]:
        """Return the standard deviation of each row's normal distribution, shape (n_rows,), in units of the label."""
        return self.spread * np.exp(self.trees.parameters(rows.features)[:, 1])

    def save(self, folder: Path) -> None:
        """Write the arrays as NumPy's npz and the rest as JSON."""
        arrays = {field.name: getattr(self.trees, field.name) for field in fields(Trees)}
        np.savez(folder / _TREES, allow_pickle=False, **arrays)
        index = {
            "task": str(self.task),
            "n_classes": self.n_classes,
            "classes": self.classes.tolist(),
            "centre": self.centre,
            "spread": self.spread,
            "rows_per_round": self.rows_per_round,
        }
        (folder / _INDEX).write_bytes(msgspec.json.encode(index))


class NGBoost(Family):
    """Boosted trees for the parameters of a distribution; missing values go to the better side of each split."""

    name: ClassVar[str] = "NGBoost"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 200
    requires: ClassVar[tuple[str, ...]] = ("ngboost", "sklearn", "threadpoolctl")
    extra: ClassVar[str | None] = "cpu"
    fixed_seconds: ClassVar[float] = 7.0
    seconds_per_million_rows: ClassVar[float] = 100.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {
            "learning_rate": 0.05,
            "rounds": 300,
            "patience": 15,
            "rounds_without_validation": 100,
            "depth": 3,
            "min_rows_in_leaf": 20,
            "feature_fraction": 0.5,
            "row_fraction": 0.5,
            "most_rows_per_round": 2500,
            "refit": True,
        }
    )

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        if len(validation) < MIN_VALIDATION_ROWS:
            return _boosted(train, None, context, n_rounds=Rounds.of(context).without_validation)
        model = _boosted(train, validation, context, n_rounds=Rounds.of(context).most)
        if context.hyperparameters["refit"]:
            return _boosted(joined(train, validation), None, context, n_rounds=len(model.trees.step))
        return model

    def load(self, folder: Path) -> FittedModel:
        """Read back the trees."""
        index = msgspec.json.decode((folder / _INDEX).read_bytes())
        with np.load(folder / _TREES, allow_pickle=False) as arrays:
            trees = Trees(**{field.name: arrays[field.name] for field in fields(Trees)})
        classes = np.array(index.pop("classes"), dtype=np.int64)
        return NGBoostModel(trees, task=Task(index.pop("task")), classes=classes, **index)


def _boosted(
    rows: TrainingRows, validation: TrainingRows | None, context: FitContext, *, n_rounds: int
) -> NGBoostModel:
    """Fit, and stop where the loss on ``validation`` stops falling."""
    labels = rows.labels.astype(np.float64)
    classes = np.empty(0, dtype=np.int64)
    centre, spread = 0.0, 1.0
    if context.task is Task.REGRESSION:
        centre, spread = float(labels.mean()), float(labels.std())
    else:
        classes = np.unique(labels).astype(np.int64)
    fraction = min(context.number("row_fraction"), context.integer("most_rows_per_round") / len(rows))
    booster = _library_model(len(classes), fraction, n_rounds, context)
    fit_booster(
        booster,
        rows.features,
        _outcome(labels, classes, centre, spread),
        _stopping(validation, classes, centre, spread) if validation is not None else {},
        patience=context.integer("patience"),
        threads=context.threads,
    )
    return NGBoostModel(
        trees_of(booster),
        task=context.task,
        n_classes=context.n_classes,
        classes=classes,
        centre=centre,
        spread=spread,
        rows_per_round=int(fraction * len(rows)),
    )


def _library_model(n_classes: int, row_fraction: float, n_rounds: int, context: FitContext) -> "Booster":
    from ngboost import NGBClassifier, NGBRegressor  # noqa: PLC0415 - heavy library
    from ngboost.distns import Normal, k_categorical  # noqa: PLC0415 - heavy library
    from sklearn.tree import DecisionTreeRegressor  # noqa: PLC0415 - heavy library

    distribution = k_categorical(n_classes) if n_classes else Normal
    return (NGBClassifier if n_classes else NGBRegressor)(
        Dist=distribution,
        Base=DecisionTreeRegressor(
            max_depth=context.integer("depth"),
            min_samples_leaf=context.integer("min_rows_in_leaf"),
            random_state=context.seed,
        ),
        n_estimators=n_rounds,
        learning_rate=context.number("learning_rate"),
        minibatch_frac=row_fraction,
        col_sample=context.number("feature_fraction"),
        random_state=context.seed,
        verbose=False,
    )


def fit_booster(
    booster: "Booster",
    features: NDArray[np.float32],
    outcome: Outcome,
    stopping: Mapping[str, NDArray[np.float32] | Outcome],
    *,
    patience: int,
    threads: int,
) -> None:
    """Fit a model of the library; ``stopping`` holds its ``X_val`` and ``Y_val``, or nothing."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - heavy library

    # The line search tries steps that are far too long, and drops those whose loss is not finite.
    with threadpool_limits(limits=threads), np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        booster.fit(features, outcome, **stopping, early_stopping_rounds=patience if stopping else None)


def _outcome(labels: NDArray[np.float64], classes: NDArray[np.int64], centre: float, spread: float) -> Outcome:
    # The library stops at gradients below a fixed size, so values are measured in their own standard deviations.
    if len(classes):
        return np.searchsorted(classes, labels)
    return np.asarray((labels - centre) / spread, dtype=np.float64)


def _stopping(
    validation: TrainingRows, classes: NDArray[np.int64], centre: float, spread: float
) -> dict[str, NDArray[np.float32] | Outcome]:
    """Return the rows to stop by: those whose class the training rows hold."""
    known = np.isin(validation.labels, classes) if len(classes) else np.ones(len(validation), dtype=np.bool_)
    if not known.any():
        return {}
    labels = validation.labels[known].astype(np.float64)
    return {"X_val": validation.features[known], "Y_val": _outcome(labels, classes, centre, spread)}


def trees_of(booster: "Booster") -> Trees:
    """Take the trees out of a fitted model of the library, up to the best round where it was stopped."""
    last = booster.best_val_loss_itr
    n_rounds = len(booster.scalings) if last is None else last + 1
    parts: dict[str, list[NDArray[np.generic]]] = {
        name: [] for name in ("feature", "left", "right", "threshold", "value", "missing_left")
    }
    root = np.empty((len(booster.init_params), n_rounds), dtype=np.int32)
    n_nodes, depth = 0, 0
    for number in range(n_rounds):
        for parameter, learner in enumerate(booster.base_models[number]):
            tree = learner.tree_
            root[parameter, number] = n_nodes
            for name, part in _nodes(tree, booster.col_idxs[number], n_nodes).items():
                parts[name].append(part)
            n_nodes += tree.node_count
            depth = max(depth, tree.max_depth)
    return Trees(
        **{name: np.concatenate(part) for name, part in parts.items()},
        root=root,
        step=booster.learning_rate * np.array(booster.scalings[:n_rounds], dtype=np.float64),
        start=np.asarray(booster.init_params, dtype=np.float64),
        depth=np.array(depth, dtype=np.int32),
    )


def _nodes(tree: "Tree", columns: NDArray[np.int64], first: int) -> dict[str, NDArray[np.generic]]:
    leaf = tree.children_left < 0
    own = np.arange(first, first + tree.node_count)
    return {
        "feature": np.where(leaf, 0, columns[np.where(leaf, 0, tree.feature)]).astype(np.int32),
        "left": np.where(leaf, own, tree.children_left + first).astype(np.int32),
        "right": np.where(leaf, own, tree.children_right + first).astype(np.int32),
        "threshold": np.asarray(tree.threshold, dtype=np.float64),
        "value": np.asarray(tree.value[:, 0, 0], dtype=np.float64),
        "missing_left": np.asarray(tree.missing_go_to_left, dtype=np.bool_),
    }


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)
