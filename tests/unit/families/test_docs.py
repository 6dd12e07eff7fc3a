"""The examples of docs/families.md run as they stand."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.records.vocabulary import Task

PAGE = Path(__file__).parents[3] / "docs" / "families.md"


def test_the_examples_run_and_the_family_on_the_page_is_a_family(
    make_rows: Callable[..., TrainingRows], make_context: Callable[..., FitContext], tmp_path: Path
) -> None:
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(example, names)  # noqa: S102 - our own page
    assert names["found"].names[0] == "LightGBM"
    family = names["Guess"]
    rows = make_rows(Task.REGRESSION, 101, seed=1)
    model = family().fit(rows, rows, context=make_context(family, Task.REGRESSION))
    model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(model.files)
    np.testing.assert_array_equal(family().load(tmp_path).predict(rows), np.median(rows.labels))


def test_the_table_of_families_is_what_they_declare() -> None:
    row = r"^\| `(\w+)` \| .*? \| (\d+) \| .*$"
    table = dict(re.findall(row, PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert table == {family.name: str(family.min_rows) for family in FAMILIES.members()}
