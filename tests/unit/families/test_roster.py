import pytest

from trainroute.errors import UnknownNameError
from trainroute.families import FAMILIES, GROUPS, select_families, two_stage_order
from trainroute.families.roster import CPU_FAMILIES, TWO_STAGE_ORDER, select_from
from trainroute.records.vocabulary import Stage

TORCH = {"CNN1D", "LSTM", "Transformer", "TabCNN", "TabLSTM", "TabTransformer"}


def test_the_roster_holds_twenty_families_and_the_groups_of_the_contract() -> None:
    assert len(TWO_STAGE_ORDER) == len(set(TWO_STAGE_ORDER)) == 20
    assert GROUPS["sequential"] == GROUPS["both"] == TWO_STAGE_ORDER
    assert set(GROUPS["cross-sectional"]) == set(TWO_STAGE_ORDER) - TORCH


def test_every_name_of_the_roster_is_a_family_in_the_stage_that_it_gives() -> None:
    assert set(FAMILIES.names()) == set(TWO_STAGE_ORDER)
    for family in FAMILIES.members():
        assert (family.stage is Stage.CPU) == (family.name in CPU_FAMILIES)


def test_names_are_found_whatever_their_case_and_come_in_two_stage_order() -> None:
    found = select_families(["ensemble", "LIGHTGBM", "xgboost", "LightGBM"])
    assert found.names == ("LightGBM", "XGBoost", "Ensemble")
    assert found.by_name


def test_sequential_takes_all_in_two_stage_order_and_cross_sectional_leaves_the_pytorch_ones_out() -> None:
    found = select_families(group="sequential")
    assert found.names == TWO_STAGE_ORDER
    assert not found.by_name
    assert select_families(group="cross-sectional").names == TWO_STAGE_ORDER[:14]


@pytest.mark.parametrize("group", ["sequential", "cross-sectional"])
def test_a_group_includes_families_of_other_distributions_after_its_own(group: str) -> None:
    found = select_from((*TWO_STAGE_ORDER, "Aardvark"), names=None, group=group, standard=())
    assert found.names == (*GROUPS[group], "Aardvark")


def test_standard_is_what_the_config_says() -> None:
    assert select_families(standard=["xgboost"]).names == ("XGBoost",)


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'LightGBM'"):
        select_families(["LigthGBM"])
    with pytest.raises(UnknownNameError, match="unknown model type 'sequental'; did you mean 'sequential'"):
        select_families(group="sequental")


def test_order_puts_unknown_names_last_and_drops_repetitions() -> None:
    assert two_stage_order(["Zebra", "LSTM", "Ant", "LightGBM", "LSTM"]) == ("LightGBM", "LSTM", "Ant", "Zebra")
