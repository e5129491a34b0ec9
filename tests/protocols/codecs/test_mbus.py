"""M-Bus by rule: frames, extensions, units, and what a meter may leave out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.codecs.mbus import adapter, decode, encode_long, encode_short, parse_records
from protocols.errors import Refused


@pytest.mark.parametrize(
    ("data", "expect"),
    [
        ("01FD1700", {"quantity": "error_flags", "value": "00"}),
        ("02FD48E908", {"quantity": "voltage", "unit": "V", "value": "228.1"}),
        ("0406A0860100", {"quantity": "energy", "unit": "Wh", "value": "100000000"}),
        ("04863B10000000", {"quantity": "energy_forward", "value": "16000"}),
        ("0486FF0110000000", {"quantity": "unknown"}),
        ("04967640420F00", {"quantity": "volume", "unit": "m3", "value": "1000000"}),
        ("026C583B", {"quantity": "date", "value": "2026-11-24"}),
        ("046D1E0E583B", {"quantity": "datetime", "value": "2026-11-24T14:30"}),
        ("0A5B2500", {"quantity": "flow_temperature", "unit": "°C", "value": "25"}),
        ("0A5A2502", {"value": "22.5"}),
        ("0C13FFFFFFFF", {"value": None}),
        ("0C13563412F0", {"value": "-123.456"}),
        ("041300000080", {"value": None}),
        ("0554CDCC4C3F", {"quantity": "mass_flow", "value": "8"}),
        ("0022", {"quantity": "on_time", "unit": "h", "value": None}),
        ("0D78053132333435", {"quantity": "fabrication_number", "value": "54321"}),
        ("84010600000000", {"storage": 2, "tariff": 0}),
        ("8C1006785634 12", {"tariff": 1, "value": "12345678000"}),
        ("1C1300000000", {"function": "maximum"}),
    ],
)
def test_records(data: str, expect: dict[str, Any]) -> None:
    (record,) = parse_records(bytes.fromhex(data))
    for key, value in expect.items():
        assert getattr(record, key) == value


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("0C13563412", "bad_length"),
        ("0C", "bad_length"),
        ("0C135A341200", "bad_bcd"),
        ("05130000C07F", "bad_value"),
        ("026C0000", ""),
        ("026CFF0D", "bad_value"),
        ("84" + "80" * 12 + "00", "bad_length"),
        ("0D13E0", "unsupported"),
        ("4F13", "unsupported"),
    ],
)
def test_records_that_are_none(data: str, error: str) -> None:
    if not error:
        assert parse_records(bytes.fromhex(data))[0].value is None
        return
    with pytest.raises(Refused, match=error):
        parse_records(bytes.fromhex(data))


def test_fillers_are_passed_over_and_the_makers_part_is_left_alone() -> None:
    assert len(parse_records(bytes.fromhex("2F2F0C13000000000F0102030405"))) == 1


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ("", "truncated"),
        ("11", "bad_start"),
        ("E5E5", "trailing"),
        ("1040014117", "bad_end"),
        ("1040014216", "bad_checksum"),
        ("10400141", "truncated"),
        ("6803036908010A1316", "bad_start"),
        ("68020268 0801 0916", "bad_length"),
        ("680303680801721B16", "bad_checksum"),
        ("68030368080172 7B 16", "bad_length"),
        ("680303680801AAB316", "unsupported"),
        ("1049014A16", "unsupported"),
    ],
)
def test_frames_that_say_nothing(frame: str, error: str) -> None:
    with pytest.raises(Refused, match=error):
        adapter.told(decode(bytes.fromhex(frame)))


@pytest.mark.parametrize(
    ("request_", "address", "fcb", "error"),
    [("clear", 1, 0, "unsupported"), ("snd_nke", 256, 0, "bad_address"), ("req_ud2", 1, 2, "bad_value")],
)
def test_requests_nobody_should_send(request_: str, address: int, fcb: int, error: str) -> None:
    with pytest.raises(Refused, match=error):
        encode_short(request_, address, fcb)


@pytest.mark.parametrize("fields", [{"request": "snd_nke", "address": 5}, {"request": "req_ud1", "address": 250, "fcb": 1}])
def test_a_meter_reads_the_question_as_it_was_asked(fields: dict[str, Any]) -> None:
    assert adapter.told(decode(adapter.encode(fields))) == fields


@given(st.integers(0, 255), st.binary(max_size=252))
def test_a_long_frame_comes_back(address: int, data: bytes) -> None:
    frame = decode(encode_long(0x08, address, 0x72, data))
    assert (frame.address, frame.ci, frame.data) == (address, 0x72, data)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_random_bytes_never_crash(noise: bytes) -> None:
    for raw in (noise, encode_long(0x08, 1, 0x72, bytes(12) + noise), encode_long(0x08, 1, 0x78, noise)):
        try:
            adapter.told(decode(raw))
        except Refused:
            continue
