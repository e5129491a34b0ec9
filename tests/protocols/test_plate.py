"""Plates: forms, one spelling, likeness (K-33, K-34)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Refused
from protocols.plate import Colour, Kind, differing, distance, normalise, parse, shown

FORMS = [
    ("京A12345", Kind.CIVIL, Colour.BLUE),
    ("粤B7K205", Kind.CIVIL, Colour.BLUE),
    ("粤BD12846", Kind.NEW_ENERGY, Colour.GREEN),
    ("沪AF01123", Kind.NEW_ENERGY, Colour.GREEN),
    ("京A12345D", Kind.NEW_ENERGY_LARGE, Colour.YELLOW_GREEN),
    ("京A1234学", Kind.LEARNER, Colour.YELLOW),
    ("冀B1234挂", Kind.TRAILER, Colour.YELLOW),
    ("京A1234警", Kind.POLICE, Colour.WHITE),
    ("沪A0023领", Kind.CONSULATE, Colour.BLACK),
    ("使014578", Kind.EMBASSY, Colour.BLACK),
    ("粤Z1234港", Kind.HONGKONG, Colour.BLACK),
    ("粤ZK061澳", Kind.MACAU, Colour.BLACK),
    ("VA12345", Kind.MILITARY, Colour.WHITE),
    ("WJ京1234X", Kind.ARMED_POLICE, Colour.WHITE),
    ("WJ12345", Kind.ARMED_POLICE, Colour.WHITE),
    ("京X1234应急", Kind.EMERGENCY, Colour.WHITE),
    ("民航A1234", Kind.AVIATION, Colour.GREEN),
]


@pytest.mark.parametrize(("text", "kind", "colour"), FORMS)
def test_each_form_is_known_with_its_colour(text: str, kind: Kind, colour: Colour) -> None:
    """K-33"""
    plate = parse(text)
    assert (plate.text, plate.kind, plate.colour, plate.complete) == (text, kind, colour, True)


@pytest.mark.parametrize("written", ["京A·12345", " 京a 12345 ", "京Ａ１２３４５", "京A-12345", "京A.12345"])
def test_one_spelling(written: str) -> None:
    assert parse(written).text == "京A12345"
    assert parse(written).shown == "京A·12345"


def test_i_and_o_do_not_occur_in_a_serial() -> None:
    """K-34: cameras read 0 as O"""
    assert normalise("京AO1I34") == "京A01134"


@pytest.mark.parametrize("written", ["", "京", "无牌车", "京A1234", "京A123456", "XX", "京I12345", "12345", "京A1234567", "_无_"])
def test_no_plate_is_refused(written: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(written)
    assert refusal.value.code == "bad_plate"


def test_an_unread_character_is_kept() -> None:
    plate = parse("京A1234?")
    assert not plate.complete
    assert distance("京A1234?", "京A12346") == 1


@pytest.mark.parametrize(
    ("one", "other", "far", "chars"),
    [
        ("京A12345", "京A12345", 0, 0),
        ("京A1234D", "京A12340", 1, 1),
        ("京A1234B", "京A12348", 1, 1),
        ("京A12345", "津A12345", 1, 1),
        ("京A12345", "京A12346", 2, 1),
        ("京A12345", "京A22346", 4, 2),
        ("京A12345", "京AD12345", None, None),
    ],
)
def test_how_far_two_readings_are_apart(one: str, other: str, far: int | None, chars: int | None) -> None:
    """K-31, K-34"""
    assert distance(one, other) == distance(other, one) == far
    assert differing(one, other) == chars


def test_a_text_of_no_known_form_is_shown_as_it_is() -> None:
    assert shown("VA12345") == "VA12345"
    assert shown("abc") == "abc"


@given(st.text(max_size=12))
def test_any_text_is_a_plate_or_refused(text: str) -> None:
    try:
        plate = parse(text)
    except Refused:
        return
    assert parse(plate.text) == plate == parse(plate.shown)
