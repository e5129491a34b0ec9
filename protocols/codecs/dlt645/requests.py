"""Questions and commands of a master: plain fields -> frame, and back (for simulated meters and people).

Clearing commands (19, 1A, 1B; 10 in 1997) are never offered. A relay command or a write goes to one meter only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from protocols.codecs import bcd
from protocols.codecs.dlt645.frame import BROADCAST, WILDCARD, Frame, pack_address
from protocols.codecs.problems import parse_hex, problem, to_hex

Edition = Literal["2007", "1997"]
FUNCTIONS: Mapping[Edition, Mapping[str, int]] = {
    "2007": {
        "broadcast_time": 0x08,
        "read_data": 0x11,
        "read_next": 0x12,
        "read_address": 0x13,
        "write_data": 0x14,
        "write_address": 0x15,
        "freeze": 0x16,
        "change_baud": 0x17,
        "change_password": 0x18,
        "relay": 0x1C,
    },
    "1997": {
        "read_data": 0x01,
        "read_next": 0x02,
        "read_again": 0x03,
        "write_data": 0x04,
        "broadcast_time": 0x08,
        "write_address": 0x0A,
        "change_baud": 0x0C,
        "change_password": 0x0F,
    },
}
RELAY = {
    "trip": 0x1A,
    "close_allowed": 0x1B,
    "close": 0x1C,
    "alarm_on": 0x2A,
    "alarm_off": 0x2B,
    "protect_on": 0x3A,
    "protect_off": 0x3B,
}
BAUD = {600: 0x02, 1200: 0x04, 2400: 0x08, 4800: 0x10, 9600: 0x20, 19200: 0x40}
FREEZE_NOW = "99999999"


def di_size(edition: Edition) -> int:
    return 4 if edition == "2007" else 2


def edition_of(fields: Mapping[str, Any]) -> Edition:
    """Refused `unsupported`."""
    edition = str(fields.get("protocol", "2007")).removeprefix("dlt645-")
    if edition == "2007":
        return "2007"
    if edition == "1997":
        return "1997"
    raise problem("unsupported", f"protocol {edition}", field="protocol")


def encode_request(fields: Mapping[str, Any]) -> bytes:
    """A whole frame from `request`, `address` and what the request needs; `preamble` FE bytes before it (4).

    Refused `unsupported` (request), `bad_address`, `bad_value` with the field.
    """
    preamble = fields.get("preamble", 4)
    if not isinstance(preamble, int) or isinstance(preamble, bool):
        raise problem("bad_value", "preamble is a number of bytes", field="preamble")
    return request_frame(fields).encode(preamble)


def request_frame(fields: Mapping[str, Any]) -> Frame:
    """The frame itself. Refused as `encode_request`."""
    edition, name = edition_of(fields), str(fields.get("request"))
    function = FUNCTIONS[edition].get(name)
    if function is None:
        raise problem("unsupported", f"request {name}", field="request")
    address = str(fields.get("address", BROADCAST if name == "broadcast_time" else "")).upper()
    pack_address(address)
    if name in _ONE_METER and (address == BROADCAST or "AA" in _pairs(address)):
        raise problem("bad_address", f"{name} goes to one meter", field="address")
    if address == BROADCAST and name not in ("broadcast_time", "freeze"):
        raise problem("bad_address", "nobody answers a broadcast", field="address")
    if name in ("read_address", "write_address") and edition == "2007" and "address" not in fields:
        address = WILDCARD
    return Frame(address, function, _DATA[name](fields, edition))


_ONE_METER = ("relay", "write_data", "change_password")


def _pairs(address: str) -> list[str]:
    return [address[at : at + 2] for at in range(0, 12, 2)]


def low_first(text: object, size: int, field: str, *, digits: bool = False) -> bytes:
    """Hex written high first -> bytes low first. Refused `bad_value`."""
    data = parse_hex(text, field=field)
    if len(data) != size or (digits and not data.hex().isdecimal()):
        raise problem("bad_value", f"{field} has {2 * size} digits", field=field)
    return data[::-1]


def _di(fields: Mapping[str, Any], edition: Edition) -> bytes:
    return low_first(fields.get("di"), di_size(edition), "di")


def _nothing(fields: Mapping[str, Any], edition: Edition) -> bytes:
    return b""


def _read(fields: Mapping[str, Any], edition: Edition) -> bytes:
    """DI; the 2007 edition allows a count of blocks and a time after it, for load curves."""
    return _di(fields, edition)


def _next(fields: Mapping[str, Any], edition: Edition) -> bytes:
    sequence = fields.get("seq", 1)
    if edition == "1997":
        return _di(fields, edition)
    if not isinstance(sequence, int) or not 1 <= sequence <= 255:
        raise problem("bad_value", "the sequence number is 1-255", field="seq")
    return _di(fields, edition) + bytes([sequence])


def _password(fields: Mapping[str, Any], edition: Edition) -> bytes:
    """PA P0 P1 P2 and, in 2007, the operator's four bytes."""
    level = low_first(fields.get("password_level", "00"), 1, "password_level")
    password = level + low_first(fields.get("password", "000000"), 3, "password")
    return password + (low_first(fields.get("operator", "00000000"), 4, "operator") if edition == "2007" else b"")


def _write(fields: Mapping[str, Any], edition: Edition) -> bytes:
    data = parse_hex(fields.get("data"), field="data")
    if not data:
        raise problem("bad_value", "nothing to write", field="data")
    return _di(fields, edition) + _password(fields, edition) + data[::-1]


def _relay(fields: Mapping[str, Any], edition: Edition) -> bytes:
    code = RELAY.get(str(fields["action"])) if "action" in fields else None
    named = parse_hex(fields["n1"], field="n1") if "n1" in fields else None
    if ("action" in fields and code is None) or (named is not None and (len(named) != 1 or named[0] not in RELAY.values())):
        raise problem("unsupported", "no such relay command", field="action")
    if code is not None and named is not None and named[0] != code:
        raise problem("bad_value", "action and N1 disagree", field="n1")
    chosen = code if code is not None else named[0] if named else None
    if chosen is None:
        raise problem("bad_value", "an action is needed", field="action")
    return _password(fields, edition) + bytes([chosen, 0]) + _moment(fields.get("valid_until"), "valid_until")


def _moment(text: object, field: str) -> bytes:
    """ss mm hh DD MM YY. Refused `bad_value`."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        raise problem("bad_value", f"{text!r} is no time", field=field) from None
    if not 2000 <= when.year < 2100:
        raise problem("bad_value", "the year has two digits", field=field)
    parts = (when.second, when.minute, when.hour, when.day, when.month, when.year - 2000)
    return b"".join(bcd.packed(part, 1) for part in parts)


def _time(fields: Mapping[str, Any], edition: Edition) -> bytes:
    return _moment(fields.get("time"), "time")


def _new_address(fields: Mapping[str, Any], edition: Edition) -> bytes:
    return low_first(fields.get("new_address"), 6, "new_address", digits=True)


def _freeze(fields: Mapping[str, Any], edition: Edition) -> bytes:
    """mm hh DD MM; 99 stands for every one, all 99 for now."""
    return low_first(fields.get("when", FREEZE_NOW), 4, "when", digits=True)


def _baud(fields: Mapping[str, Any], edition: Edition) -> bytes:
    code = BAUD.get(fields.get("baud", 0))
    if code is None:
        raise problem("bad_value", "no such speed", field="baud")
    return bytes([code])


def _new_password(fields: Mapping[str, Any], edition: Edition) -> bytes:
    old = low_first(fields.get("password_level", "00"), 1, "password_level") + low_first(fields.get("password"), 3, "password")
    level = low_first(fields.get("new_password_level", "00"), 1, "new_password_level")
    new = level + low_first(fields.get("new_password"), 3, "new_password")
    return (_di(fields, edition) if edition == "2007" else b"") + old + new


_DATA: Mapping[str, Callable[[Mapping[str, Any], Edition], bytes]] = {
    "read_data": _read,
    "read_next": _next,
    "read_again": _nothing,
    "read_address": _nothing,
    "write_data": _write,
    "write_address": _new_address,
    "broadcast_time": _time,
    "freeze": _freeze,
    "change_baud": _baud,
    "change_password": _new_password,
    "relay": _relay,
}


def told_request(frame: Frame) -> dict[str, Any]:
    """A master's frame as fields: the inverse of `request_frame` for reads, times and relays; other data stays hex.

    Refused `unsupported`, `bad_length`.
    """
    edition: Edition = "1997" if frame.function in (1, 2, 3, 4, 0x0A, 0x0C, 0x0F) else "2007"
    name = next((name for name, code in FUNCTIONS[edition].items() if code == frame.function), None)
    if name is None or frame.control & 0x60:
        raise problem("unsupported", f"control {frame.control:02X}")
    told: dict[str, Any] = {"protocol": edition, "address": frame.address, "control": f"{frame.control:02X}", "request": name}
    size = di_size(edition)
    if name in ("read_data", "read_next", "write_data"):
        if len(frame.data) < size:
            raise problem("bad_length", "no whole data identifier")
        told["di"] = to_hex(frame.data[size - 1 :: -1])
        if name == "read_next" and edition == "2007":
            if len(frame.data) != size + 1:
                raise problem("bad_length", "a follow-up has one sequence number")
            told["seq"] = frame.data[size]
        return told
    if name == "broadcast_time":
        return told | {"time": _told_moment(frame.data), "expects_reply": False}
    if name == "relay":
        return told | _told_relay(frame.data)
    return told | ({"data": to_hex(frame.data[::-1])} if frame.data else {})


def _told_moment(data: bytes) -> str:
    if len(data) != 6:
        raise problem("bad_length", "a time has six bytes")
    second, minute, hour, day, month, year = (bcd.number(data[at : at + 1]) for at in range(6))
    try:
        return datetime(2000 + year, month, day, hour, minute, second).isoformat()  # noqa: DTZ001 civil time of the meter
    except ValueError:
        raise problem("bad_value", "no such time") from None


def _told_relay(data: bytes) -> dict[str, Any]:
    if len(data) != 16:
        raise problem("bad_length", "a relay command has sixteen bytes")
    action = next((name for name, code in RELAY.items() if code == data[8]), None)
    if action is None:
        raise problem("unsupported", f"relay command {data[8]:02X}")
    return {
        "action": action,
        "n1": f"{data[8]:02X}",
        "password_level": f"{data[0]:02X}",
        "password": to_hex(data[3:0:-1]),
        "operator": to_hex(data[7:3:-1]),
        "valid_until": _told_moment(data[10:]),
    }
