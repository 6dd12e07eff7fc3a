import pytest

from trainroute.panel.durations import durations_in_name, format_duration, parse_duration

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("10min", 600), ("2h", 7200), ("5d", 432_000), ("1w", 604_800), ("60m", 3600)],
)
def test_reads_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds * SECOND


@pytest.mark.parametrize("text", ["", "m", "10", "0d", "-5d", "1.5h", "5D", "1mo", "10m ", "1y", "9999999d"])
def test_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number and one of s, m, h, d, w"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["30s", "10m", "2h", "5d", "7d", "2w"])
def test_writes_what_it_reads(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


def test_writes_a_fraction_of_a_second() -> None:
    assert format_duration(1500) == "1500 µs"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("y_will_swing_low_10m_0.20", ("10m",)),
        ("fwd_ret_5d", ("5d",)),
        ("target_60m", ("60m",)),
        ("y_x_2h", ("2h",)),
        ("y_x-1w", ("1w",)),
        ("y_30s_x", ("30s",)),
        ("y_up", ()),
        ("y_5drop", ()),
        ("y_0.5d", ()),
        ("y_5d_10d", ("5d", "10d")),
        ("y_60m_1h", ("60m",)),
    ],
)
def test_finds_durations_in_names(name: str, found: tuple[str, ...]) -> None:
    assert durations_in_name(name) == found
