"""DL/T 645 by rule: frames, streams, identifiers, conversations; the library as oracle where it is right."""

from __future__ import annotations

from typing import Any

import pytest
from dlt645.protocol.protocol import DLT645Protocol as Library
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.codecs.dlt645 import (
    Answer,
    Conversation,
    Frame,
    StreamDecoder,
    covers,
    decode,
    encode_request,
    read_item,
    request_frame,
    told,
    told_request,
)
from protocols.codecs.problems import KINDS
from protocols.errors import Refused

ADDRESS = "202308001234"
digits = st.text("0123456789", min_size=12, max_size=12)
frames = st.builds(Frame, digits, st.integers(0, 255), st.binary(max_size=60))


def reply(di: str, low_first: str, control: int = 0x91) -> Frame:
    return Frame(ADDRESS, control, bytes.fromhex(di)[::-1] + bytes.fromhex(low_first))


@given(frames, st.integers(0, 4))
def test_a_frame_comes_back_and_the_library_builds_the_same(frame: Frame, preamble: int) -> None:
    raw = frame.encode(preamble)
    assert decode(raw) == frame
    assert raw == Library.build_frame(bytes.fromhex(frame.address)[::-1], frame.control, frame.data, preamble)


@settings(max_examples=200)
@given(st.lists(st.one_of(frames.map(lambda one: one.encode(2)), st.binary(max_size=15))), st.data())
def test_random_bytes_never_give_a_frame_with_a_bad_checksum(pieces: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut, what comes out stands in the stream, whole and with its checksum."""
    stream, decoder, found = b"".join(pieces), StreamDecoder(), []
    left = stream
    while left:
        cut = data.draw(st.integers(1, len(left)))
        found += decoder.feed(left[:cut])
        left = left[cut:]
    found += decoder.flush()
    assert decoder.remaining == b""
    at = 0
    for frame in found:
        at = stream.index(frame.encode(), at) + len(frame.encode())


@settings(max_examples=200)
@given(st.lists(frames, min_size=1, max_size=4), st.integers(0, 3))
def test_sound_frames_are_all_found(sent: list[Frame], preamble: int) -> None:
    decoder = StreamDecoder()
    stream = b"".join(frame.encode(preamble) for frame in sent)
    assert [one for at in range(0, len(stream), 7) for one in decoder.feed(stream[at : at + 7])] == sent
    assert decoder.remaining == b"" and decoder.rejected == 0


@given(st.binary(max_size=80))
def test_junk_is_refused_with_a_kind(junk: bytes) -> None:
    try:
        told(decode(junk))
    except Refused as refused:
        assert refused.code in KINDS


@settings(max_examples=300)
@given(frames)
def test_any_sound_frame_is_told_or_refused(frame: Frame) -> None:
    try:
        said = told(frame)
    except Refused as refused:
        assert refused.code in KINDS
    else:
        assert said["address"] == frame.address


def test_a_frame_behind_a_broken_length_is_not_waited_for() -> None:
    decoder = StreamDecoder()
    good = reply("00010000", "00000000").encode()
    broken = bytearray(good)
    broken[9] = 0xC8
    assert decoder.feed(bytes(broken) + good) == [decode(good)]
    assert decoder.rejected == 1 and decoder.remaining == b""


def test_after_the_time_out_what_is_held_is_searched() -> None:
    decoder = StreamDecoder()
    assert decoder.feed(bytes.fromhex("68341200082320 68 91 20 3333")) == []
    assert decoder.remaining
    assert decoder.flush() == [] and decoder.remaining == b"" and decoder.rejected == 1


@pytest.mark.parametrize("frame", ["6834120008232068910833333433896745332F1600", "6834120008232068910833333433896745332F16FE"])
def test_bytes_after_the_frame(frame: str) -> None:
    with pytest.raises(Refused, match="trailing"):
        decode(bytes.fromhex(frame))


def test_an_address_that_is_no_number_is_refused() -> None:
    raw = bytearray(reply("00010000", "00000000").encode())
    raw[1] = 0x3F
    raw[-2] = sum(raw[:-2]) & 0xFF
    with pytest.raises(Refused, match="bad_address"):
        decode(bytes(raw))


@pytest.mark.parametrize(
    ("asked", "answering", "fits"),
    [
        (ADDRESS, ADDRESS, True),
        (ADDRESS, "202308001235", False),
        ("AAAAAAAAAAAA", ADDRESS, True),
        ("AAAAAAAA1234", ADDRESS, True),
        ("AAAAAAAA1235", ADDRESS, False),
    ],
)
def test_open_digits_cover_any_meter(asked: str, answering: str, fits: bool) -> None:
    assert covers(asked, answering) is fits


ITEMS: list[tuple[str, str, dict[str, Any]]] = [
    ("00010001", "56341200", {"quantity": "energy_import", "value": "1234.56", "tariff": 0, "settlement": 1}),
    ("00030000", "01000080", {"quantity": "reactive_energy_combined_1", "unit": "kvarh", "value": "-0.01"}),
    ("00150000", "01000000", {"quantity": "energy_import", "phase": "A", "value": "0.01"}),
    ("00010000", "FFFFFFFF", {"value": None}),
    ("00000000", "00000080", {"value": "0.00"}),
    ("02010300", "0523", {"phase": "C", "value": "230.5"}),
    ("02020100", "FFFFFF", {"value": None}),
    ("02030100", "450623", {"phase": "A", "value": "23.0645", "unit": "kW"}),
    ("02040000", "450680", {"unit": "kvar", "value": "-0.0645"}),
    ("02060100", "0090", {"phase": "A", "value": "-1.000"}),
    ("0203FF00", "010000020000030000040000", {"items": 4}),
    ("02800001", "341280", {"quantity": "neutral_current", "value": "-1.234"}),
    ("00900100", "56341200", {"quantity": "prepaid_energy", "unit": "kWh", "value": "1234.56"}),
    ("01010000", "4506231508241126", {"quantity": "demand_import", "unit": "kW", "value": "23.0645", "time": "2026-11-24T08:15"}),
    ("04000401", "341200082320", {"kind": "address", "reported_address": ADDRESS}),
    ("04000501", "0100", {"kind": "status1", "raw": "0001"}),
    ("04000503", "1000", {"relay_open": True, "relay_command_trip": False, "prepaid": "none"}),
    ("05060103", "01000000", {"days_back": 3, "items": 1}),
    ("05060001", "FFFFFFFFFF", {"kind": "freeze_time", "value": None}),
]


@pytest.mark.parametrize(("di", "data", "expect"), ITEMS)
def test_identifiers_of_2007(di: str, data: str, expect: dict[str, Any]) -> None:
    said = read_item("2007", di, bytes.fromhex(data))
    for key, value in expect.items():
        assert len(said[key]) == value if key == "items" else said[key] == value


@pytest.mark.parametrize(
    ("di", "data", "expect"),
    [
        ("9010", "15809500", {"quantity": "energy_import", "value": "9580.15", "tariff": 0}),
        ("9022", "15809500", {"quantity": "energy_export", "tariff": 2}),
        ("9410", "15809500", {"settlement": 1}),
        ("9820", "15809500", {"settlement": 2, "quantity": "energy_export"}),
        ("901F", "010000000200000003000000AA", {"items": 3}),
        ("B611", "3002", {"quantity": "voltage", "phase": "A", "value": "230"}),
        ("B621", "3402", {"quantity": "current", "value": "2.34"}),
        ("B630", "563412", {"quantity": "active_power", "value": "12.3456"}),
        ("B651", "9809", {"quantity": "power_factor", "value": "0.998"}),
        ("C010", "02241126", {"kind": "date", "value": "2026-11-24", "weekday": 2}),
        ("C011", "073114", {"value": "14:31:07"}),
    ],
)
def test_identifiers_of_1997(di: str, data: str, expect: dict[str, Any]) -> None:
    said = read_item("1997", di, bytes.fromhex(data))
    for key, value in expect.items():
        assert len(said[key]) == value if key == "items" else said[key] == value


@pytest.mark.parametrize(
    ("di", "data", "error"),
    [
        ("00010000", "010000", "bad_length"),
        ("0001FF00", "0100000002", "bad_length"),
        ("0001FF00", "", "bad_length"),
        ("00010000", "0A000000", "bad_bcd"),
        ("00014000", "00000000", "unsupported"),
        ("0001000D", "00000000", "unsupported"),
        ("02010000", "0000", "unsupported"),
        ("02010400", "0000", "unsupported"),
        ("05060100", "00000000", "unsupported"),
        ("0506013F", "00000000", "unsupported"),
        ("04000101", "07241126", "bad_value"),
        ("04000101", "02310226", "bad_value"),
        ("04000102", "603114", "bad_value"),
        ("05060001", "0024231126", "bad_value"),
        ("0F0F0F0F", "00", "unsupported"),
    ],
)
def test_what_is_no_value_is_refused(di: str, data: str, error: str) -> None:
    with pytest.raises(Refused, match=error):
        read_item("2007", di, bytes.fromhex(data))


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"request": "clear_meter"}, "unsupported", "request"),
        ({"request": "read_data", "address": "1234", "di": "00010000"}, "bad_address", "address"),
        ({"request": "read_data", "address": "12AA34567890", "di": "00010000"}, "bad_address", "address"),
        ({"request": "read_data", "address": "99" * 6, "di": "00010000"}, "bad_address", "address"),
        ({"request": "read_data", "address": ADDRESS, "di": "0001"}, "bad_value", "di"),
        ({"request": "read_next", "address": ADDRESS, "di": "00010000", "seq": 0}, "bad_value", "seq"),
        (
            {"request": "relay", "address": "AA" * 6, "action": "trip", "valid_until": "2026-11-30T00:00"},
            "bad_address",
            "address",
        ),
        (
            {"request": "relay", "address": ADDRESS, "action": "explode", "valid_until": "2026-11-30T00:00"},
            "unsupported",
            "action",
        ),
        ({"request": "relay", "address": ADDRESS, "action": "trip", "n1": "1B", "valid_until": "2026-11-30"}, "bad_value", "n1"),
        ({"request": "relay", "address": ADDRESS, "action": "trip", "valid_until": "soon"}, "bad_value", "valid_until"),
        ({"request": "relay", "protocol": "1997", "address": ADDRESS, "action": "trip"}, "unsupported", "request"),
        ({"request": "broadcast_time", "time": "1999-01-01T00:00"}, "bad_value", "time"),
        ({"request": "read_data", "protocol": "1987", "address": ADDRESS, "di": "9010"}, "unsupported", "protocol"),
        ({"request": "read_address", "address": "AA" * 6, "preamble": -1}, "bad_value", "preamble"),
        ({"request": "change_baud", "address": ADDRESS, "baud": 9601}, "bad_value", "baud"),
        ({"request": "write_address", "address": "AA" * 6, "new_address": "12345678901A"}, "bad_value", "new_address"),
    ],
)
def test_requests_nobody_should_send(fields: dict[str, Any], error: str, field: str) -> None:
    with pytest.raises(Refused) as refused:
        encode_request(fields)
    assert (refused.value.code, refused.value.field) == (error, field)


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": "2007", "request": "read_data", "address": ADDRESS, "di": "00010000"},
        {"protocol": "1997", "request": "read_data", "address": ADDRESS, "di": "9010"},
        {"protocol": "2007", "request": "read_next", "address": ADDRESS, "di": "0001FF00", "seq": 3},
        {"protocol": "2007", "request": "read_address", "address": "AA" * 6},
        {"protocol": "2007", "request": "broadcast_time", "address": "99" * 6, "time": "2026-11-24T14:31:07"},
        {"protocol": "2007", "request": "relay", "address": ADDRESS, "action": "close", "n1": "1C", "password_level": "02",
         "password": "123456", "operator": "00000001", "valid_until": "2026-11-30T23:45:59"},
    ],
)  # fmt: skip
def test_a_meter_reads_the_question_as_it_was_asked(fields: dict[str, Any]) -> None:
    said = told_request(decode(encode_request(fields)))
    assert {key: said[key] for key in fields} == fields


def test_a_refusal_is_told_bit_by_bit_and_final_for_the_client() -> None:
    frame = Frame(ADDRESS, 0xD1, b"\x06")
    assert told(frame)["flags"] == ["no_such_data", "bad_password"]
    talk = Conversation(request_frame({"request": "read_data", "address": ADDRESS, "di": "00010000"}))
    with pytest.raises(Refused, match="device_refused"):
        talk.receive(frame)


def test_a_long_answer_is_joined_part_by_part() -> None:
    talk = Conversation(request_frame({"request": "read_data", "address": "AAAAAAAA1234", "di": "0001FF00"}))
    assert talk.receive(reply("0001FF00", "0100000002000000", 0xB1)) is None
    assert told_request(talk.request) | {"seq": 1, "di": "0001FF00"} == told_request(talk.request)
    with pytest.raises(Refused, match="wrong_di"):
        talk.receive(reply("0002FF00", "0300000001", 0x92))
    with pytest.raises(Refused, match="bad_sequence"):
        talk.receive(reply("0001FF00", "0300000002", 0x92))
    with pytest.raises(Refused, match="wrong_function"):
        talk.receive(reply("0001FF00", "0300000001", 0x91))
    assert talk.receive(reply("0001FF00", "0300000001", 0xB2)) is None
    answer = talk.receive(reply("0001FF00", "0400000002", 0x92))
    assert isinstance(answer, Answer)
    assert [item["value"] for item in answer.said["items"]] == ["0.01", "0.02", "0.03", "0.04"]


@given(st.integers(0, 99_999_999))
def test_forward_energy_is_unsigned_over_its_whole_range(count: int) -> None:
    """Where the library is wrong: above 799999.99 it reads a sign."""
    data = bytes.fromhex(f"{count:08d}")[::-1]
    assert read_item("2007", "00010000", data)["value"] == f"{count // 100}.{count % 100:02d}"
