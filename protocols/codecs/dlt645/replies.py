"""What a meter's frame says: values, acknowledgements, refusals, parts of a long answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocols.codecs.dlt645 import items, items97
from protocols.codecs.dlt645.frame import Frame
from protocols.codecs.dlt645.requests import FUNCTIONS, Edition, di_size, told_request
from protocols.codecs.problems import problem, to_hex

_ACKS = {
    "2007": {0x14: "write_data", 0x15: "write_address", 0x16: "freeze", 0x19: "clear_demand", 0x1A: "clear_meter",
             0x1B: "clear_events", 0x1C: "relay"},
    "1997": {0x04: "write_data", 0x0A: "write_address", 0x10: "clear_demand"},
}  # fmt: skip
_FLAGS = {
    "2007": ("other", "no_such_data", "bad_password", "bad_baud", "too_many_zones", "too_many_slots", "too_many_tariffs"),
    "1997": ("bad_data", "no_such_data", "bad_password", "other", "too_many_zones", "too_many_slots", "too_many_tariffs"),
}
_ONLY_97 = (0x01, 0x02, 0x03, 0x04, 0x0A, 0x0C, 0x0F, 0x10)


@dataclass(frozen=True, slots=True)
class Part:
    """One answer to a read: the identifier it names, its bytes without identifier and number, and the number (follow-ups)."""

    di: str
    data: bytes
    seq: int | None = None


def edition(frame: Frame) -> Edition:
    """The edition that a meter's function code belongs to."""
    return "1997" if frame.function in _ONLY_97 else "2007"


def is_read(frame: Frame) -> bool:
    return frame.function in (FUNCTIONS[edition(frame)]["read_data"], FUNCTIONS[edition(frame)]["read_next"])


def part(frame: Frame) -> Part:
    """The identifier and bytes of a read's answer. Refused `bad_length`."""
    size = di_size(edition(frame))
    follow = frame.function == 0x12
    if len(frame.data) < size + follow:
        raise problem("bad_length", "no whole data identifier")
    data = frame.data[size:]
    return Part(to_hex(frame.data[size - 1 :: -1]), data[:-1] if follow else data, data[-1] if follow else None)


def read_item(which: Edition, di: str, data: bytes) -> items.Said:
    """The values of an identifier. Refused `unsupported`, `bad_length`, `bad_bcd`, `bad_value`."""
    return items.read_item(di, data) if which == "2007" else items97.read_item(di, data)


def told(frame: Frame) -> dict[str, Any]:
    """Everything a frame says, as the published vectors write it.

    A refusal is a good frame (`kind` meter_error). A part of a long answer keeps its bytes under `data`, since values may be cut.
    Refused `unsupported` (control or identifier), `bad_length`, `bad_bcd`, `bad_value`.
    """
    if not frame.from_meter:
        return told_request(frame)
    which = edition(frame)
    said: dict[str, Any] = {"protocol": which, "address": frame.address, "control": f"{frame.control:02X}"}
    if frame.refused:
        return said | refusal(frame)
    if is_read(frame):
        found = part(frame)
        said["di"] = found.di
        if frame.more or found.seq is not None:
            more: dict[str, Any] = {"kind": "part", "more": frame.more, "data": to_hex(found.data)}
            return said | more | ({} if found.seq is None else {"seq": found.seq})
        return said | read_item(which, found.di, found.data)
    return said | _other(frame, which)


def refusal(frame: Frame) -> dict[str, Any]:
    """Why a meter refuses: the error byte and its named bits. Refused `bad_length`."""
    if len(frame.data) != 1:
        raise problem("bad_length", "a refusal has one byte")
    code = frame.data[0]
    flags = [name for bit, name in enumerate(_FLAGS[edition(frame)]) if code >> bit & 1]
    return {"kind": "meter_error", "code": f"{code:02X}", "flags": flags}


def _other(frame: Frame, which: Edition) -> dict[str, Any]:
    if which == "2007" and frame.function == 0x13:
        return items.address(frame.data)
    if which == "2007" and frame.function == 0x17:
        return {"kind": "ack", "request": "change_baud", "code": to_hex(items.sized(frame.data, 1))}
    if (which, frame.function) in (("2007", 0x18), ("1997", 0x0F)):
        return {"kind": "ack", "request": "change_password"}
    name = _ACKS[which].get(frame.function)
    if name is None or frame.more:
        raise problem("unsupported", f"control {frame.control:02X}")
    if frame.data:
        raise problem("bad_length", "an acknowledgement has no data")
    return {"kind": "ack", "request": name}
