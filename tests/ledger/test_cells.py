"""Cells: what stands in one is read exactly or refused by its field, and nothing is guessed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.usage import COUNT_MAX
from planner.ledger import cells

BERLIN = ZoneInfo("Europe/Berlin")
READERS = (cells.text, cells.count, cells.decimal, cells.cost, cells.moment, cells.flag)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("values", [{}, {"x": None}, {"x": ""}])
def test_nothing_said_is_nothing_read(read: Callable[..., object], values: dict[str, Any]) -> None:
    """Missing, null and empty are the same, and none of them is zero."""
    assert read(values, "x") is None
    assert cells.json_object(values, "x") == {}
    assert cells.json_list(values, "x") == []
    with pytest.raises(InvalidInput, match="missing"):
        cells.needed(read(values, "x"), "x")


@pytest.mark.parametrize("value", [0, "0", "12", 12, Decimal("12.0"), "12.", "12.00", COUNT_MAX, str(COUNT_MAX)])
def test_a_count_is_a_whole_number(value: object) -> None:
    """Also one that went through a program which writes all numbers with a point."""
    assert cells.count({"x": value}, "x") == int(Decimal(str(value)))


@pytest.mark.parametrize(
    "value",
    [
        -1,
        "-1",
        "+1",
        "1.5",
        Decimal("1.5"),
        True,
        "1e3",
        " 1",
        "1_000",
        "\uff11\uff12",
        "NaN",
        COUNT_MAX + 1,
        "9" * 20,
        [],
        1.0,
    ],
)
def test_what_is_no_count_is_refused(value: object) -> None:
    """Signs, fractions, exponents, other digits, and what no counter holds."""
    with pytest.raises(InvalidInput, match="whole number"):
        cells.count({"x": value}, "x")


@pytest.mark.parametrize("value", ["x", "NaN", "Infinity", "1,5", "1e999", "1" * 60, True, [1], 0.5, ""])
def test_what_is_no_decimal_is_refused(value: object) -> None:
    """Nothing is rounded and nothing is endless; an empty cell alone says nothing."""
    if value == "":
        assert cells.decimal({"x": value}, "x") is None
        return
    with pytest.raises(InvalidInput):
        cells.decimal({"x": value}, "x")


def test_a_decimal_is_exact() -> None:
    """As text, with an exponent, or as a number of JSON."""
    assert [cells.decimal({"x": value}, "x") for value in ("1.25e-05", Decimal("0.10"), 7, "-3")] == [
        Decimal("0.0000125"),
        Decimal("0.10"),
        Decimal(7),
        Decimal(-3),
    ]
    with pytest.raises(InvalidInput, match="less than nothing"):
        cells.cost({"x": "-0.01"}, "x")


@pytest.mark.parametrize("value", ["a\tb", "a\nb", "a\u202eb", "x" * 801, True, Decimal(1), [], {}])
def test_what_is_no_name_is_refused(value: object) -> None:
    """Neither what a terminal would act on nor what is as long as a message."""
    with pytest.raises(InvalidInput, match="a text"):
        cells.text({"x": value}, "x")


def test_a_name_stays_as_it_is() -> None:
    """With its spaces and its case; a number is a name too."""
    assert [cells.text({"x": value}, "x") for value in (" Acme Ä ", 7)] == [" Acme Ä ", "7"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-09-01T10:00:00Z", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2026-09-01t10:00:00.123z", datetime(2026, 9, 1, 10, 0, 0, 123_000, UTC)),
        ("2026-09-01 10:00:00.123456789+02:00", datetime(2026, 9, 1, 8, 0, 0, 123_456, UTC)),
        ("2026-09-01 10:00:00+02", datetime(2026, 9, 1, 8, tzinfo=UTC)),
        ("2026-09-01 10:00-0330", datetime(2026, 9, 1, 13, 30, tzinfo=UTC)),
        ("2026-09-01 10:00:00 UTC", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2023-11-16 18:17:03.9799600", datetime(2023, 11, 16, 18, 17, 3, 979_960, UTC)),
        ("2026-09-01 10:00:00.123", datetime(2026, 9, 1, 10, 0, 0, 123_000, UTC)),
        ("2026-09-01 10:00", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2026-09-01", datetime(2026, 9, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_in_every_spelling_of_the_exports(value: str, expected: datetime) -> None:
    """Seven digits of a fraction as Azure writes them, minutes as Stripe does, and offsets as databases do."""
    found = cells.moment({"x": value}, "x", UTC)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *("x", "2026-9-1", "2026-02-30", "2026-09-01T24:00:00Z", "2026-09-01 10:00:60Z", "20260901", "2026-W01-1"),
        *("2026-09-01 10", "2026-09-01 10:00:00.", "2026-09-01T10:00:00+24:00", "2026-09-01T10:00:00+01:60"),
        *("0000-01-01", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00", "infinity", "\uff12026-09-01"),
        *(1_756_000_000, datetime(2026, 9, 1, tzinfo=UTC), True, []),
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    """Days that never were, sentinels, and numbers whose unit nobody told."""
    with pytest.raises(InvalidInput, match="moment"):
        cells.moment({"x": value}, "x", UTC)


def test_a_zone_is_never_guessed() -> None:
    """Without one, and without a format that says which it is, a time is no moment."""
    with pytest.raises(InvalidInput, match="offset from UTC"):
        cells.moment({"x": "2026-09-01 10:00"}, "x")


def test_local_time_is_of_its_zone_on_its_day() -> None:
    """In summer and in winter; what clocks show twice or never is refused, unless its offset is said."""
    assert cells.moment({"x": "2026-07-01 12:00"}, "x", BERLIN) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert cells.moment({"x": "2026-12-01 12:00"}, "x", BERLIN) == datetime(2026, 12, 1, 11, tzinfo=UTC)
    for value in ("2026-10-25 02:30", "2026-03-29 02:30"):
        with pytest.raises(InvalidInput, match="twice or never"):
            cells.moment({"x": value}, "x", BERLIN)
    assert cells.moment({"x": "2026-10-25 02:30+01:00"}, "x", BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "ticks"),
    [
        (1_788_256_800, 1),
        ("1788256800", 1),
        (Decimal("1788256800.0000009"), 1),
        (1_788_256_800_000, 1_000),
        ("1788256800000000999", 1_000_000_000),
    ],
)
def test_ticks_are_counted_from_their_start(value: object, ticks: int) -> None:
    """Seconds, milliseconds and nanoseconds; what is finer than a microsecond is cut off."""
    assert cells.epoch({"x": value}, "x", ticks) == datetime(2026, 9, 1, 10, tzinfo=UTC)


def test_ticks_may_be_relative() -> None:
    """A trace that begins at 0 is given its beginning."""
    start = datetime(2026, 9, 1, tzinfo=UTC)
    assert cells.epoch({"x": 1_500}, "x", 1_000, start) == start + timedelta(milliseconds=1_500)
    assert cells.epoch({"x": None}, "x", 1) is None


@pytest.mark.parametrize(("value", "ticks"), [(1_788_256_800, 1_000), (1_788_256_800_000, 1), (0, 1), ("1e30", 1)])
def test_ticks_of_another_length_are_noticed(value: object, ticks: int) -> None:
    """They would lie in 1970 or thousands of years ahead."""
    with pytest.raises(InvalidInput, match="moment"):
        cells.epoch({"x": value}, "x", ticks)


def test_a_flag_is_true_or_false() -> None:
    """In the spellings of Python, JSON and PostgreSQL, and in no other."""
    values = [True, "True", "t", "false", "F", False]
    assert [cells.flag({"x": value}, "x") for value in values] == [True, True, True, False, False, False]
    wrong: tuple[object, ...] = ("1", "yes", 1, [])
    for value in wrong:
        with pytest.raises(InvalidInput, match="true or false"):
            cells.flag({"x": value}, "x")


def test_json_in_a_cell_is_read_as_strictly_as_any() -> None:
    """A text of CSV and a value of JSON give the same, and anything else is refused."""
    assert cells.json_object({"x": '{"a": 0.1}'}, "x") == cells.json_object({"x": {"a": Decimal("0.1")}}, "x")
    assert cells.json_list({"x": "[1]"}, "x") == cells.json_list({"x": [1]}, "x") == [1]
    wrong: tuple[object, ...] = ("{", "[1]", '{"a": NaN}', 7)
    for value in wrong:
        with pytest.raises(InvalidInput):
            cells.json_object({"x": value}, "x")
    with pytest.raises(InvalidInput, match="list"):
        cells.json_list({"x": "{}"}, "x")


@given(value=st.text() | st.integers() | st.decimals() | st.booleans() | st.lists(st.none()))
def test_whatever_stands_there_is_read_or_refused(value: object) -> None:
    """By its field: no other error leaves a reader, and none repeats what stood there."""
    shown = value if isinstance(value, str) and len(value) > 12 else None
    for read in (*READERS, cells.json_object, cells.json_list):
        problem = _problem(read, value)
        assert shown is None or shown not in problem


def _problem(read: Callable[..., object], value: object) -> str:
    try:
        read({"field": value}, "field")
    except InvalidInput as refusal:
        return f"{refusal.field} {refusal.problem}"
    return "field"


@given(moment=st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)), minutes=st.integers(-1439, 1439))  # noqa: DTZ001
def test_a_moment_comes_back(moment: datetime, minutes: int) -> None:
    """Whatever offset it was written with."""
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert cells.moment({"x": local.isoformat()}, "x") == local
