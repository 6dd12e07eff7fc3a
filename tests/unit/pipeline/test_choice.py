import pytest

from trainroute.errors import UsageError
from trainroute.stages import Choice


def _choice(**given: object) -> Choice:
    defaults = {
        "symbols": None,
        "targets": None,
        "features": None,
        "auto_targets": False,
        "auto_features": False,
        "top_n_targets": 10,
        "top_m_features": 100,
    }
    return Choice.checked(**{**defaults, **given})  # type: ignore[arg-type]


def test_without_lists_ranking_and_selection_choose() -> None:
    choice = _choice()
    assert (choice.targets, choice.top_n_targets) == (None, 10)
    assert (choice.features, choice.top_m_features) == (None, 100)


def test_a_list_takes_the_place_of_choosing() -> None:
    choice = _choice(targets=["b", "a", "b"], features=["f"])
    assert (choice.targets, choice.top_n_targets) == (("b", "a"), None)
    assert (choice.features, choice.top_m_features) == (("f",), None)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"targets": ["a"], "auto_targets": True}, "--auto-targets"),
        ({"features": ["a"], "auto_features": True}, "--auto-features"),
        ({"symbols": []}, "--symbols"),
        ({"targets": []}, "--targets"),
        ({"top_n_targets": 0}, "--top-n-targets"),
        ({"top_m_features": -3}, "--top-m-features must be at least 1, got -3"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        _choice(**given)
