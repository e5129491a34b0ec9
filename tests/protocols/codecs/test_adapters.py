"""Whole exchanges through the shell's adapter: what belongs to the question, what must be dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.cli import TRIES, answer
from protocols.codecs.modbus import Request
from protocols.codecs.modbus.frames import crc

MAP = [
    {"table": "holding", "address": 0, "type": "uint32", "scale": "0.01", "quantity": "energy", "unit": "kWh"},
    {"table": "holding", "address": 4, "type": "uint16", "scale": "0.1", "quantity": "voltage", "unit": "V", "remark": "L1"},
    {"table": "coil", "address": 3, "type": "bit", "quantity": "relay", "unit": ""},
]


def rtu(body: str) -> str:
    data = bytes.fromhex(body)
    return (data + crc(data)).hex()


def tried(kind: str, **case: Any) -> dict[str, Any]:
    return answer(TRIES[kind], json.dumps(case))


def modbus(*steps: tuple[str, str], transport: str = "rtu") -> dict[str, Any]:
    return tried("modbus", direction="exchange", transport=transport, map=MAP, steps=[{name: text} for name, text in steps])


ASK = Request(1, 3, 0, 5).rtu().hex()
REPLY = rtu("01030A 0000 007B 0000 0000 08FC")


def test_several_registers_of_one_answer() -> None:
    values = [{"quantity": "energy", "unit": "kWh", "value": "1.23"}, {"quantity": "voltage", "unit": "V", "value": "230.0"}]
    assert modbus(("send", ASK), ("receive", REPLY))["values"] == values
    assert tried("modbus", direction="decode", transport="rtu", map=MAP, hex=REPLY)["values"] == values
    one = Request(1, 3, 4, 1).rtu().hex()
    assert modbus(("send", one), ("receive", rtu("01030208FC")))["values"] == values[1:]


def test_coils() -> None:
    said = modbus(("send", Request(1, 1, 0, 10).rtu().hex()), ("receive", rtu("0101020800")))
    assert said["values"] == [{"quantity": "relay", "unit": "", "value": "1"}]


@pytest.mark.parametrize(
    ("receive", "error"),
    [
        (ASK, "echo"),
        (rtu("02030A00000000000000000000"), "wrong_address"),
        (rtu("01040A00000000000000000000"), "wrong_function"),
        (rtu("01030400000000"), "bad_length"),
        (rtu("028302"), "wrong_address"),
        (rtu("018302"), "device_refused"),
        (rtu("018306"), "device_busy"),
        (rtu("018304"), "device_failed"),
        ("", "truncated"),
    ],
)
def test_rtu_answers_that_are_not_the_answer(receive: str, error: str) -> None:
    assert modbus(("send", ASK), ("receive", receive))["error"] == error
    assert modbus(("send", ASK), ("receive", receive), ("receive", REPLY))["values"], "dropped, and the answer still comes"


def test_an_echo_before_the_answer_is_dropped() -> None:
    assert modbus(("send", ASK), ("receive", ASK + REPLY))["values"][0]["value"] == "1.23"


@pytest.mark.parametrize(
    ("number", "rest", "error"),
    [("0002", "0000000D01", "wrong_transaction"), ("0001", "0000000D02", "wrong_address"), ("0001", "0001000D01", "unsupported")],
)
def test_tcp_answers_that_are_not_the_answer(number: str, rest: str, error: str) -> None:
    ask = Request(1, 3, 0, 5).tcp(1).hex()
    receive = number + rest + "030A" + "00" * 10
    assert modbus(("send", ask), ("receive", receive), transport="tcp")["error"] == error


def test_a_write_is_confirmed() -> None:
    ask = Request(1, 6, 9, 1, (5,)).rtu().hex()
    assert modbus(("send", ask), ("receive", ask))["values"] == [5]
    said = tried("modbus", direction="encode", transport="rtu", expect={"unit": 1, "function": 6, "address": 9, "value": 5})
    assert said == {"hex": ask.upper()}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"unit": 1, "function": 3, "address": 0, "count": 0}, "bad_value"),
        ({"unit": 1, "function": 3, "address": 0, "count": 126}, "too_long"),
        ({"unit": 1, "function": 3, "address": 70_000, "count": 1}, "bad_address"),
        ({"unit": 300, "function": 3, "address": 0, "count": 1}, "bad_address"),
        ({"unit": True, "function": 3, "address": 0, "count": 1}, "bad_value"),
        ({"unit": 1, "function": 99, "address": 0, "count": 1}, "unsupported"),
    ],
)
def test_questions_that_are_refused(fields: dict[str, Any], error: str) -> None:
    assert tried("modbus", direction="encode", transport="rtu", input=fields)["error"] == error


def test_mbus_exchanges() -> None:
    data = "681B1B68080572341200262D2C1016070000000C13563412004C13000012009D16"
    steps = [{"send": "105B056016"}, {"receive": data}]
    assert tried("modbus", direction="exchange", transport="mbus", steps=steps)["identification"] == "26001234"
    steps = [{"send": "105B015C16"}, {"receive": data}]
    assert tried("modbus", direction="exchange", transport="mbus", steps=steps)["error"] == "wrong_address"
    steps = [{"send": "107BFE7916"}, {"receive": data}]
    assert tried("modbus", direction="exchange", transport="mbus", steps=steps)["kind"] == "data"
    steps = [{"send": "1040014116"}, {"receive": "E5"}]
    assert tried("modbus", direction="exchange", transport="mbus", steps=steps) == {"kind": "ack"}
    steps = [{"send": "1040014116"}, {"receive": "1040014116"}]
    assert tried("modbus", direction="exchange", transport="mbus", steps=steps)["error"] == "echo"


D_REPLY = "6834120008232068910833333433896745332F16"


def dlt(*steps: tuple[str, str]) -> dict[str, Any]:
    ask = tried(
        "dlt645",
        direction="encode",
        expect={"protocol": "2007", "request": "read_data", "address": "202308001234", "di": "00010000"},
    )["hex"]
    return tried("dlt645", direction="exchange", steps=[{name: text or ask} for name, text in steps])


def test_dlt645_answers_among_what_does_not_belong() -> None:
    late = "6899120008232068910833333433CC3C33339A16"
    assert dlt(("send", ""), ("receive", D_REPLY))["value"] == "1234.56"
    assert dlt(("send", ""), ("receive", late + D_REPLY))["value"] == "1234.56"
    assert dlt(("send", ""), ("receive", late), ("receive", D_REPLY))["value"] == "1234.56"
    assert dlt(("send", ""), ("receive", ""))["error"] == "echo"
    assert dlt(("send", ""), ("receive", D_REPLY[:-8]))["error"] == "truncated"


def test_dlt645_refusals_end_the_exchange() -> None:
    body = bytes.fromhex("6834120008232068D10135")
    sound = (body + bytes([sum(body) & 0xFF, 0x16])).hex()
    assert dlt(("send", ""), ("receive", sound))["error"] == "device_refused"
