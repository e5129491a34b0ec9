"""Modbus maps, blocks and frames by rule: every type, order and error; noise never becomes a value."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer.rtu import FramerRTU

from protocols.codecs.modbus import (
    Register,
    Request,
    Response,
    RtuReceiver,
    TcpReceiver,
    blocks,
    decode_rtu,
    decode_tcp,
    matched,
    parse_map,
)
from protocols.codecs.modbus.frames import REFUSALS, crc
from protocols.errors import Refused

WORDS = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125)


def register(kind: str, order: str = "ABCD", **more: Any) -> Register:
    return parse_map([{"address": 0, "type": kind, "order": order, "quantity": "q"} | more])[0]


def rtu(body: str) -> bytes:
    data = bytes.fromhex(body)
    return data + crc(data)


ORDERS = {"ABCD": "12345678", "CDAB": "56781234", "BADC": "34127856", "DCBA": "78563412"}


@pytest.mark.parametrize(("order", "hexed"), ORDERS.items())
def test_every_order_of_two_registers(order: str, hexed: str) -> None:
    words = struct.unpack(">2H", bytes.fromhex(hexed))
    assert register("uint32", order).value(words) == str(0x12345678)
    assert register("bcd32", order).value(words) == "12345678"
    assert register("uint32", order).registers(0x12345678) == list(words)


@pytest.mark.parametrize(
    ("order", "hexed"),
    [
        ("ABCD", "0102030405060708"),
        ("CDAB", "0708050603040102"),
        ("BADC", "0201040306050807"),
        ("DCBA", "0807060504030201"),
        ("ABCDEFGH", "0102030405060708"),
        ("HGFEDCBA", "0807060504030201"),
    ],
)
def test_every_order_of_four_registers(order: str, hexed: str) -> None:
    words = struct.unpack(">4H", bytes.fromhex(hexed))
    assert register("uint64", order).value(words) == str(0x0102030405060708)


@pytest.mark.parametrize(
    ("order", "word"), [("ABCD", 0x1234), ("AB", 0x1234), ("BA", 0x3412), ("BADC", 0x3412), ("DCBA", 0x3412)]
)
def test_every_order_of_one_register(order: str, word: int) -> None:
    assert register("uint16", order).value([word]) == str(0x1234)


@pytest.mark.parametrize(
    ("kind", "words", "more", "value"),
    [
        ("int16", [0xFFFF], {}, "-1"),
        ("int32", [0xFFFF, 0xFFFE], {"scale": "0.1"}, "-0.2"),
        ("int64", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], {}, "-1"),
        ("uint16", [0], {"scale": "0.01"}, "0.00"),
        ("uint16", [5], {"scale": "10"}, "50"),
        ("int16", [0xFFF6], {"scale": "0.1", "offset": "-40"}, "-41.0"),
        ("bcd16", [0x0987], {}, "987"),
        ("float64", [0x3FB9, 0x9999, 0x9999, 0x999A], {}, "0.1"),
        ("float32", [0x4366, 0x8000], {}, "230.5"),
        ("float32", [0x8000, 0x0000], {"decimals": 2}, "0.00"),
        ("float32", [0x3F00, 0x0000], {"decimals": 0}, "1"),
        ("float32", [0x4120, 0x0000], {"scale": "0.001", "decimals": 3}, "0.010"),
        ("uint16", [0b1011_0000], {"mask": "0030"}, "3"),
        ("uint32", [0x0001, 0x0000], {"mask": "00010000"}, "1"),
        ("bits16", [0x8000], {"mask": "8000"}, "1"),
        ("uint32+uint16/1000", [0, 7, 0], {}, "7.000"),
        ("uint16+uint16/10+uint16/1000", [7, 1, 5], {}, "7.105"),
        ("uint32", [0, 100], {"scale": "0.01", "multiplier": "pt*ct", "ratios": {"pt": "1.5", "ct": 40}, "decimals": 2}, "60.00"),
    ],
)
def test_every_type(kind: str, words: list[int], more: dict[str, Any], value: str) -> None:
    assert register(kind, **more).value(words) == value


@pytest.mark.parametrize(
    ("words", "more", "error"),
    [
        ([0x7F80, 0], {"type": "float32"}, "bad_value"),
        ([0xFFC0, 0], {"type": "float32"}, "bad_value"),
        ([0x0A00], {"type": "bcd16"}, "bad_bcd"),
        ([1], {"type": "uint32"}, "bad_length"),
        ([4000], {"type": "uint16", "highest": "3000"}, "bad_value"),
        ([0], {"type": "uint16", "lowest": "1"}, "bad_value"),
        ([1], {"type": "uint16", "multiplier": "pt*ct", "ratios": {"pt": 1}}, "bad_value"),
    ],
)
def test_what_is_no_value_is_refused(words: list[int], more: dict[str, Any], error: str) -> None:
    with pytest.raises(Refused, match=error):
        register(more.pop("type"), **more).value(words)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"type": "uint24"}, "unsupported"),
        ({"type": ""}, "unsupported"),
        ({"type": "uint16", "order": "ABDC"}, "bad_value"),
        ({"type": "uint16", "scale": "1e3"}, "bad_value"),
        ({"type": "uint16", "address": 40_001 + 65_536}, "bad_value"),
        ({"type": "uint16", "mask": "0000"}, "bad_value"),
        ({"type": "uint16", "table": "coils"}, "bad_value"),
        ({"type": "uint16", "scael": "1"}, "bad_value"),
    ],
)
def test_a_map_with_a_mistake_is_refused(document: dict[str, Any], error: str) -> None:
    with pytest.raises(Refused, match=error):
        parse_map([{"address": 0, "quantity": "q"} | document])


def test_blocks_join_near_registers_and_never_cut_one() -> None:
    spans = [(0, "uint32"), (2, "uint16"), (12, "uint16"), (200, "uint64"), (324, "uint32")]
    registers = parse_map([{"address": at, "type": kind, "quantity": f"q{at}"} for at, kind in spans])
    found = [(one.address, one.count, len(one.registers)) for one in blocks(registers)]
    assert found == [(0, 3, 2), (12, 1, 1), (200, 4, 1), (324, 2, 1)]
    assert [(one.address, one.count) for one in blocks(registers, max_gap=200)] == [(0, 13), (200, 4), (324, 2)]
    assert [(one.address, one.count) for one in blocks(registers, max_gap=0)] == [(0, 3), (12, 1), (200, 4), (324, 2)]


@given(st.lists(st.tuples(st.integers(0, 600), st.sampled_from(["uint16", "uint32", "uint64"])), min_size=1, max_size=30))
def test_every_register_is_read_once_within_the_limits(spans: list[tuple[int, str]]) -> None:
    registers = parse_map([{"address": at, "type": kind, "quantity": f"q{n}"} for n, (at, kind) in enumerate(spans)])
    made = blocks(registers)
    assert sorted(one.quantity for block in made for one in block.registers) == sorted(one.quantity for one in registers)
    for block in made:
        assert 1 <= block.count <= 125
        for one in block.registers:
            assert block.address <= one.address and one.address + one.words <= block.address + block.count


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (b"", "truncated"),
        (rtu("0103044366"), "bad_length"),
        (rtu("01030443668000")[:-1], "truncated"),
        (rtu("01030443668000")[:5], "truncated"),
        (rtu("01030443668000") + b"\0", "trailing"),
        (rtu("0103034366 80"), "bad_length"),
        (rtu("012B0E01"), "unsupported"),
        (rtu("018301"), "device_refused"),
        (rtu("018303"), "device_refused"),
        (rtu("018304"), "device_failed"),
        (rtu("018305"), "device_busy"),
        (rtu("01830B"), "device_failed"),
        (rtu("0183"), "bad_length"),
        (b"\x01\x2b\x0e\x01\x00\x00", "bad_checksum"),
    ],
)
def test_rtu_frames_that_are_no_answer(frame: bytes, error: str) -> None:
    with pytest.raises(Refused, match=error):
        decode_rtu(frame)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ("", "truncated"),
        ("000100000007010304436680", "truncated"),
        ("0001000000070103044366800000", "trailing"),
        ("000100010007010304436680 00", "unsupported"),
        ("0001000000FF0103044366800000", "bad_length"),
        ("000100000007010305436680 00", "bad_length"),
        ("000100000003018302", "device_refused"),
    ],
)
def test_tcp_frames_that_are_no_answer(frame: str, error: str) -> None:
    with pytest.raises(Refused, match=error):
        decode_tcp(bytes.fromhex(frame))


def test_every_exception_code_of_the_standard_has_its_kind() -> None:
    assert set(REFUSALS) == {1, 2, 3, 4, 5, 6, 7, 8, 10, 11}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"unit": 256}, "bad_address"),
        ({"address": 65_536}, "bad_address"),
        ({"address": 65_535, "count": 2}, "bad_address"),
        ({"count": 0}, "bad_value"),
        ({"count": 126}, "too_long"),
        ({"function": 1, "count": 2_001}, "too_long"),
        ({"function": 43}, "unsupported"),
        ({"function": 6, "values": ()}, "bad_value"),
        ({"function": 16, "count": 2, "values": (1,)}, "bad_value"),
        ({"function": 16, "count": 1, "values": (65_536,)}, "bad_value"),
    ],
)
def test_questions_nobody_can_answer_are_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(Refused, match=error):
        Request(**({"unit": 1, "function": 3, "address": 0} | fields)).rtu()


@pytest.mark.parametrize(
    "request_",
    [
        Request(1, 5, 3, 1, (1,)),
        Request(1, 6, 3, 1, (0xFFFF,)),
        Request(1, 15, 3, 10, (1, 0) * 5),
        Request(1, 16, 3, 2, (1, 2)),
        Request(7, 1, 0, 9),
        Request(7, 4, 0x1000, 2),
    ],
)
def test_a_device_reads_the_question_as_it_was_asked(request_: Request) -> None:
    assert Request.from_pdu(request_.unit, request_.pdu()) == request_


def test_a_confirmed_write_must_be_the_one_that_was_asked() -> None:
    question = Request(1, 6, 3, 1, (5,))
    assert matched(question, question.rtu()).words == (5,)
    with pytest.raises(Refused, match="wrong_di"):
        matched(question, Request(1, 6, 4, 1, (5,)).rtu())


@given(st.integers(0, 255), WORDS, st.integers(0, 0xFFFF))
def test_what_is_sent_is_what_arrives(unit: int, words: list[int], number: int) -> None:
    """decode(encode(x)) == x over both wrappings."""
    pdu = bytes([3, 2 * len(words)]) + struct.pack(f">{len(words)}H", *words)
    body = bytes([unit]) + pdu
    question = Request(unit, 3, 0, len(words))
    assert matched(question, body + crc(body)) == Response(unit, 3, tuple(words))
    frame = struct.pack(">HHH", number, 0, len(body)) + body
    assert matched(question, frame, number) == Response(unit, 3, tuple(words), transaction=number)


@given(st.binary(max_size=40))
def test_random_bytes_are_refused_or_have_a_good_checksum(noise: bytes) -> None:
    for decode in (decode_rtu, decode_tcp):
        try:
            decode(noise)
        except Refused:
            continue
        if decode is decode_rtu:
            assert crc(noise[:-2]) == noise[-2:]
        else:
            assert len(noise) == 6 + int.from_bytes(noise[4:6])


@settings(max_examples=60)
@given(st.binary(max_size=60), WORDS, st.data())
def test_the_answer_is_found_in_noise_in_any_pieces(noise: bytes, words: list[int], data: st.DataObject) -> None:
    question = Request(9, 3, 0, len(words))
    body = bytes([9, 3, 2 * len(words) & 0xFF]) + struct.pack(f">{len(words)}H", *words)
    other = bytes([8]) + body[1:]
    stream = noise.replace(b"\x09", b"\x0a") + question.rtu() + other + crc(other) + body + crc(body)
    receiver, found = RtuReceiver(question), None
    while stream and found is None:
        cut = data.draw(st.integers(1, len(stream)))
        found, stream = receiver.feed(stream[:cut]), stream[cut:]
    assert found == Response(9, 3, tuple(words))


@given(st.lists(st.binary(min_size=2, max_size=30), max_size=5), st.data())
def test_a_tcp_stream_is_cut_as_it_was_joined(pdus: list[bytes], data: st.DataObject) -> None:
    frames = [struct.pack(">HHH", number, 0, len(pdu)) + pdu for number, pdu in enumerate(pdus)]
    stream, receiver, found = b"".join(frames), TcpReceiver(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += receiver.feed(stream[:cut])
        stream = stream[cut:]
    assert found == frames


@given(st.binary(max_size=260))
def test_the_checksum_agrees_with_pymodbus(data: bytes) -> None:
    assert int.from_bytes(crc(data)) == FramerRTU.compute_CRC(data)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["ABCD", "CDAB"]))
def test_floats_agree_with_pymodbus(number: float, order: str) -> None:
    word_order: Any = "big" if order == "ABCD" else "little"
    words = ModbusClientMixin.convert_to_registers(number, ModbusClientMixin.DATATYPE.FLOAT32, word_order=word_order)
    text = register("float32", order).value(words)
    assert struct.pack(">f", float(Decimal(text))) == struct.pack(">f", number + 0.0)
