"""The published Modbus cases (vectors/PROTO-FORMAT): one case -> what its `expect` holds, its `hex`, or its error kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protocols.codecs.mbus import adapter as mbus
from protocols.codecs.modbus.frames import Request, Response, decode_rtu, decode_tcp, matched
from protocols.codecs.modbus.registers import READ, TABLES, Register, parse_map
from protocols.codecs.problems import parse_hex, problem, to_hex
from protocols.errors import Refused


def try_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """`transport` mbus goes to the M-Bus codec. Refused with the error kind of the case."""
    if case.get("transport") == "mbus":
        return mbus.try_case(case)
    if case.get("transport", "rtu") not in ("rtu", "tcp"):
        raise problem("unsupported", f"transport {case.get('transport')!r}", field="transport")
    direction = case.get("direction") or ("exchange" if case.get("steps") else "decode" if "hex" in case else "encode")
    if direction == "encode":
        return {"hex": to_hex(encode(case.get("input") or case.get("expect") or {}, str(case.get("transport", "rtu"))))}
    registers = parse_map([_known(entry) for entry in case.get("map") or ()])
    if direction == "exchange":
        return _exchange(case, registers)
    if direction != "decode":
        raise problem("unsupported", f"direction {direction}", field="direction")
    frame = parse_hex(case.get("hex"))
    if case.get("transport") == "tcp":
        return _told(decode_tcp(frame), registers, start=None)
    return _told(decode_rtu(frame), registers, start=None)


def encode(fields: Mapping[str, Any], transport: str = "rtu") -> bytes:
    """A question from its fields: unit, function, address, count or values, with TCP the transaction."""
    transport = str(fields.get("transport", transport))
    values = fields.get("values", [fields["value"]] if "value" in fields else [])
    if not isinstance(values, Sequence) or not all(isinstance(value, int) for value in values):
        raise problem("bad_value", "values are whole numbers", field="values")
    numbers = {name: _whole(fields, name) for name in ("unit", "function", "address")}
    count = _whole(fields, "count") if "count" in fields else max(1, len(values))
    request = Request(**numbers, count=count, values=tuple(int(value) for value in values))
    return request.tcp(_whole(fields, "transaction")) if transport == "tcp" else request.rtu()


def _whole(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise problem("bad_value", f"{name} is a whole number", field=name)
    return value


def _known(entry: object) -> dict[str, Any]:
    """What this codec knows of a map entry; cases may carry remarks."""
    if not isinstance(entry, Mapping):
        raise problem("bad_value", "a map entry is an object", field="map")
    return {key: value for key, value in entry.items() if key in Register.model_fields}


def _exchange(case: Mapping[str, Any], registers: Sequence[Register]) -> dict[str, Any]:
    """The outcome of the last receive; each answer is held against the question before it."""
    request: Request | None = None
    sent_transaction: int | None = None
    outcome: dict[str, Any] = {}
    for number, step in enumerate(steps := case.get("steps") or ()):
        if "send" in step:
            frame = parse_hex(step["send"], field="steps")
            if case.get("transport") == "tcp":
                sent_transaction = int.from_bytes(frame[:2])
                request = Request.from_pdu(frame[6], frame[7:]) if len(frame) > 7 else None
            else:
                request = Request.from_pdu(frame[0], frame[1:-2]) if len(frame) > 3 else None
        if "receive" not in step or request is None:
            continue
        last = not any("receive" in later for later in steps[number + 1 :])
        try:
            response = matched(request, _without_echo(request, parse_hex(step["receive"], field="steps")), sent_transaction)
            outcome = _told(response, registers, start=request.address, count=request.count)
        except Refused:
            if last:
                raise
    return outcome


def _without_echo(request: Request, received: bytes) -> bytes:
    """A two-wire adapter gives the question back before the answer; the question alone is told as `echo`."""
    echo = request.rtu()
    return received[len(echo) :] if received.startswith(echo) and len(received) > len(echo) else received


def _told(response: Response, registers: Sequence[Register], *, start: int | None, count: int | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"unit": response.unit, "function": response.function}
    if response.transaction is not None:
        told |= {"transport": "tcp", "transaction": response.transaction}
    if response.function not in TABLES:
        return told | {"address": response.address, "count": response.count, "values": list(response.words)}
    if not registers:
        return told | {"registers": list(response.words)}
    table = TABLES[response.function]
    asked = [register for register in registers if register.table == table]
    if not asked:
        raise problem("wrong_function", f"the map has no {table} registers")
    if start is not None and count is not None:
        asked = [one for one in asked if start <= one.address and one.address + one.words <= start + count]
    first = min((one.address for one in asked), default=0) if start is None else start
    if start is None:
        _whole_map(asked, response, first)
    words = response.words
    return told | {"values": [_said(one, words[one.address - first : one.address - first + one.words]) for one in asked]}


def _whole_map(asked: Sequence[Register], response: Response, first: int) -> None:
    """Without its question an answer is taken for all registers of the map."""
    count = max(one.address + one.words for one in asked) - first
    wanted = -(-count // 8) * 8 if response.function in (READ["coil"], READ["discrete"]) else count
    if len(response.words) != wanted:
        raise problem("bad_length", f"the map needs {wanted} registers, found {len(response.words)}")


def _said(register: Register, words: Sequence[int]) -> dict[str, Any]:
    return {"quantity": register.quantity, "unit": register.unit, "value": register.value(words)}
