"""The published M-Bus cases: one case -> what its `expect` holds, its `hex`, or its error kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from protocols.codecs.mbus.frames import FCB, REQUESTS, Frame, decode, encode_short
from protocols.codecs.mbus.records import Record, parse_header, parse_records
from protocols.codecs.problems import parse_hex, problem, to_hex

_NAMES = {control: name for name, control in REQUESTS.items()}


def try_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """Refused with the error kind of the case."""
    direction = case.get("direction") or ("exchange" if case.get("steps") else "decode" if "hex" in case else "encode")
    if direction == "encode":
        return {"hex": to_hex(encode(case.get("input") or case.get("expect") or {}))}
    if direction == "exchange":
        return _exchange(case)
    if direction != "decode":
        raise problem("unsupported", f"direction {direction}", field="direction")
    return told(decode(parse_hex(case.get("hex"))))


_ANY = (253, 254)
"""Addresses that a meter of any other address answers."""


def _exchange(case: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome of the last receive, held against the question before it."""
    sent, outcome = b"", b""
    for step in case.get("steps") or ():
        sent = parse_hex(step["send"], field="steps") if "send" in step else sent
        outcome = parse_hex(step["receive"], field="steps") if "receive" in step else outcome
    if sent and outcome == sent:
        raise problem("echo", "the question itself")
    question, answer = decode(sent), decode(outcome)
    if answer.address is not None and question.address not in (*_ANY, answer.address):
        raise problem("wrong_address", f"{answer.address} instead of {question.address}")
    return told(answer)


def encode(fields: Mapping[str, Any]) -> bytes:
    """A short frame from request, address, fcb."""
    address, fcb = fields.get("address"), fields.get("fcb", 0)
    for name, value in (("address", address), ("fcb", fcb)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise problem("bad_value", f"{name} is a whole number", field=name)
    return encode_short(str(fields.get("request")), int(address or 0), int(fcb))


def told(frame: Frame) -> dict[str, Any]:
    """A frame as plain values. Refused `unsupported` for a layout this codec does not read, and as the records."""
    if frame.control is None:
        return {"kind": "ack"}
    if frame.ci is None:
        name = _NAMES.get(frame.control & ~FCB)
        if name is None:
            raise problem("unsupported", f"control {frame.control:02X}")
        asked: dict[str, Any] = {"request": name, "address": frame.address}
        return asked if name == "snd_nke" else asked | {"fcb": int(bool(frame.control & FCB))}
    if frame.control & 0xCF != 0x08:
        raise problem("unsupported", f"control {frame.control:02X} is no answer")
    if frame.ci == 0x70:
        return {"kind": "meter_error", "address": frame.address, "code": to_hex(frame.data[:1])}
    if frame.ci == 0x78:
        return {"kind": "data", "address": frame.address, "records": [_said(one) for one in parse_records(frame.data)]}
    if frame.ci != 0x72:
        raise problem("unsupported", f"control information {frame.ci:02X}")
    header, rest = parse_header(frame.data)
    records = [_said(one) for one in parse_records(rest)]
    return {"kind": "data", "address": frame.address, **asdict(header), "records": records}


def _said(record: Record) -> dict[str, Any]:
    said = asdict(record)
    return {key: value for key, value in said.items() if value != 0 or key not in ("tariff", "device")}
