"""Data identifiers of DL/T 645-2007: what each holds, in how many digits (table A of the standard).

A register is a number of BCD bytes with decimals; a block (FF) is the same register again for total and tariffs, or for the
phases. Values come back as plain dictionaries, as the published vectors write them; None is what the meter has not (all FF).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from protocols.codecs import bcd
from protocols.codecs.problems import problem

Said = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A register: `size` BCD bytes, low first, `decimals` of them behind the point; `signed`: the top bit is the sign."""

    name: str
    unit: str
    size: int
    decimals: int
    signed: bool = False

    def value(self, data: bytes) -> str | None:
        """Refused `bad_bcd`."""
        if data == b"\xff" * self.size:
            return None
        high = data[::-1]
        negative = self.signed and bool(high[0] & 0x80)
        if negative:
            high = bytes([high[0] & 0x7F]) + high[1:]
        number = Decimal(bcd.number(high)).scaleb(-self.decimals)
        return format(-number if negative and number else number, "f")

    def say(self, data: bytes, **more: Any) -> Said:
        return {"quantity": self.name, "unit": self.unit, "value": self.value(data), **more}


PHASES = ("A", "B", "C")
_ENERGY = {
    0x00: Quantity("energy_combined", "kWh", 4, 2, signed=True),
    0x01: Quantity("energy_import", "kWh", 4, 2),
    0x02: Quantity("energy_export", "kWh", 4, 2),
    0x03: Quantity("reactive_energy_combined_1", "kvarh", 4, 2, signed=True),
    0x04: Quantity("reactive_energy_combined_2", "kvarh", 4, 2, signed=True),
    0x05: Quantity("reactive_energy_q1", "kvarh", 4, 2),
    0x06: Quantity("reactive_energy_q2", "kvarh", 4, 2),
    0x07: Quantity("reactive_energy_q3", "kvarh", 4, 2),
    0x08: Quantity("reactive_energy_q4", "kvarh", 4, 2),
    0x09: Quantity("apparent_energy_import", "kVAh", 4, 2),
    0x0A: Quantity("apparent_energy_export", "kVAh", 4, 2),
}
_ENERGY_PHASES = {
    first + step: (_ENERGY[step + 1], phase) for first, phase in ((0x15, "A"), (0x29, "B"), (0x3D, "C")) for step in (0, 1)
}
_PER_PHASE = {
    0x01: (Quantity("voltage", "V", 2, 1), False),
    0x02: (Quantity("current", "A", 3, 3, signed=True), False),
    0x03: (Quantity("active_power", "kW", 3, 4, signed=True), True),
    0x04: (Quantity("reactive_power", "kvar", 3, 4, signed=True), True),
    0x05: (Quantity("apparent_power", "kVA", 3, 4, signed=True), True),
    0x06: (Quantity("power_factor", "", 2, 3, signed=True), True),
    0x07: (Quantity("phase_angle", "°", 2, 1), False),
}
"""DI2 of 02 xx: the quantity, and whether DI1 00 is its total."""

_SINGLE = {
    "02800001": Quantity("neutral_current", "A", 3, 3, signed=True),
    "02800002": Quantity("frequency", "Hz", 2, 2),
    "02800003": Quantity("active_power_mean", "kW", 3, 4, signed=True),
    "02800004": Quantity("active_demand", "kW", 3, 4, signed=True),
    "02800005": Quantity("reactive_demand", "kvar", 3, 4, signed=True),
    "02800006": Quantity("apparent_demand", "kVA", 3, 4, signed=True),
    "02800007": Quantity("temperature", "°C", 2, 1, signed=True),
    "02800008": Quantity("clock_battery_voltage", "V", 2, 2),
    "02800009": Quantity("reading_battery_voltage", "V", 2, 2),
    "0280000A": Quantity("battery_time", "min", 4, 0),
    "0280000B": Quantity("tier_price", "CNY/kWh", 4, 4),
    "00900100": Quantity("prepaid_energy", "kWh", 4, 2),
    "00900101": Quantity("prepaid_energy_overdraft", "kWh", 4, 2),
    "00900200": Quantity("prepaid_balance", "CNY", 4, 2),
    "00900201": Quantity("prepaid_overdraft", "CNY", 4, 2),
    "04000409": Quantity("active_constant", "imp/kWh", 3, 0),
    "0400040A": Quantity("reactive_constant", "imp/kvarh", 3, 0),
}
_SUPPLY = ("main", "auxiliary", "battery", "unknown")
_PREPAID = ("none", "energy", "money", "unknown")


def read_item(di: str, data: bytes) -> Said:
    """The values of one identifier (eight digits, DI3 first) from the data behind it.

    Refused `unsupported` (no layout here), `bad_length`, `bad_bcd`, `bad_value`.
    """
    if di in _SINGLE:
        quantity = _SINGLE[di]
        return quantity.say(sized(data, quantity.size))
    special = _SPECIAL.get(di)
    if special is not None:
        return special(data)
    first, second, third, last = bytes.fromhex(di)
    if first == 0x00:
        return _energy(second, third, last, data)
    if first == 0x01 and second in (1, 2, 3, 4, 5, 6, 7, 8):
        return _demand(second, third, last, data)
    if first == 0x02 and second in _PER_PHASE and not last:
        return _phases(second, third, data)
    if first == 0x05 and second in (0x00, 0x06):
        return _frozen(third, last, data)
    raise unknown(di)


def unknown(di: str) -> Exception:
    return problem("unsupported", f"data identifier {di}", di=di)


def sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise problem("bad_length", f"{size} bytes belong here, found {len(data)}")
    return data


def slots(data: bytes, size: int, most: int) -> list[bytes]:
    """A block cut into its slots. Refused `bad_length`."""
    if not data or len(data) % size or len(data) > size * most:
        raise problem("bad_length", f"a block of {size}-byte values does not have {len(data)} bytes")
    return [data[at : at + size] for at in range(0, len(data), size)]


def tariff_items(quantity: Quantity, data: bytes) -> list[Said]:
    """Total, then each tariff the meter has."""
    return [quantity.say(slot, tariff=tariff) for tariff, slot in enumerate(slots(data, quantity.size, 64))]


def _energy(kind: int, tariff: int, settlement: int, data: bytes) -> Said:
    quantity, phase = (_ENERGY[kind], None) if kind in _ENERGY else _ENERGY_PHASES.get(kind, (None, None))
    if quantity is None or (tariff > 0x3F and tariff != 0xFF) or settlement > 12:
        raise unknown(f"00{kind:02X}{tariff:02X}{settlement:02X}")
    more: Said = {"settlement": settlement} if settlement else {}
    if phase is not None:
        more["phase"] = phase
    if tariff == 0xFF:
        return {"items": [item | more for item in tariff_items(quantity, data)]}
    return quantity.say(sized(data, quantity.size), tariff=tariff, **more)


def _demand(kind: int, tariff: int, settlement: int, data: bytes) -> Said:
    """Maximum demand with the time it occurred: XX.XXXX, then mm hh DD MM YY."""
    if tariff > 0x3F or settlement > 12:
        raise unknown(f"01{kind:02X}{tariff:02X}{settlement:02X}")
    sized(data, 8)
    energy = _ENERGY[kind]
    quantity = Quantity(energy.name.replace("energy", "demand"), energy.unit.removesuffix("h"), 3, 4)
    more: Said = {"settlement": settlement} if settlement else {}
    return quantity.say(data[:3], tariff=tariff, time=minute(data[3:]), **more)


def _phases(kind: int, which: int, data: bytes) -> Said:
    quantity, has_total = _PER_PHASE[kind]
    names: tuple[str | None, ...] = (None, *PHASES) if has_total else PHASES
    if which == 0xFF:
        found = slots(data, quantity.size, len(names))
        return {"items": [quantity.say(slot, **_phase(name)) for slot, name in zip(found, names, strict=False)]}
    if which > 3 or (which == 0 and not has_total):
        raise unknown(f"02{kind:02X}{which:02X}00")
    return quantity.say(sized(data, quantity.size), **_phase(names[which] if has_total else names[which - 1]))


def _phase(name: str | None) -> Said:
    return {} if name is None else {"phase": name}


def _frozen(what: int, back: int, data: bytes) -> Said:
    """Freezes: DI1 00 the time, 01.. the energies as a block; DI0 counts back from 01."""
    if not 1 <= back <= 0x3E or (what and what not in _ENERGY):
        raise problem("unsupported", f"freeze {what:02X} {back:02X}")
    if not what:
        return {"kind": "freeze_time", "value": minute(data), "days_back": back}
    return {"days_back": back, "items": tariff_items(_ENERGY[what], data)}


def minute(data: bytes) -> str | None:
    """mm hh DD MM YY -> '2026-11-23T00:00'; None for all FF or all zero (never happened). Refused `bad_bcd`, `bad_value`."""
    sized(data, 5)
    if data in (b"\xff" * 5, bytes(5)):
        return None
    when = [bcd.number(data[at : at + 1]) for at in range(5)]
    try:
        found = datetime(2000 + when[4], when[3], when[2], when[1], when[0])  # noqa: DTZ001 civil time of the meter
    except ValueError:
        raise problem("bad_value", "no such time") from None
    return found.isoformat(timespec="minutes")


def day(data: bytes) -> Said:
    """WW DD MM YY; weekday 0 is Sunday."""
    sized(data, 4)
    if data == b"\xff" * 4:
        return {"kind": "date", "value": None, "weekday": None}
    weekday, number, month, year = (bcd.number(data[at : at + 1]) for at in range(4))
    try:
        found = date(2000 + year, month, number)
    except ValueError:
        raise problem("bad_value", "no such day") from None
    if weekday > 6:
        raise problem("bad_value", f"weekday {weekday}")
    return {"kind": "date", "value": found.isoformat(), "weekday": weekday}


def clock(data: bytes) -> Said:
    """ss mm hh."""
    sized(data, 3)
    if data == b"\xff" * 3:
        return {"kind": "time", "value": None}
    second, minutes, hour = (bcd.number(data[at : at + 1]) for at in range(3))
    try:
        return {"kind": "time", "value": time(hour, minutes, second).isoformat()}
    except ValueError:
        raise problem("bad_value", "no such time") from None


def address(data: bytes) -> Said:
    """Six bytes low first, as the meter reports its own address."""
    return {"kind": "address", "reported_address": bcd.digits(sized(data, 6)[::-1])}


def status_word(number: int) -> Callable[[bytes], Said]:
    """Status words 1-7; the third tells of relay, supply and prepayment."""

    def read(data: bytes) -> Said:
        word = int.from_bytes(sized(data, 2), "little")
        said: Said = {"kind": f"status{number}", "raw": f"{word:04X}"}
        return said | relay_state(word) if number == 3 else said

    return read


def relay_state(word: int) -> Said:
    return {
        "relay_open": bool(word & 0x10),
        "relay_command_trip": bool(word & 0x40),
        "pretrip_alarm": bool(word & 0x80),
        "supply": _SUPPLY[word >> 1 & 3],
        "prepaid": _PREPAID[word >> 8 & 3],
    }


def _status_block(data: bytes) -> Said:
    words = slots(data, 2, 7)
    return {"kind": "status", "items": [status_word(number)(word) for number, word in enumerate(words, 1)]}


_SPECIAL: Mapping[str, Callable[[bytes], Said]] = {
    "04000101": day,
    "04000102": clock,
    "04000401": address,
    "04000402": address,
    **{f"040005{number:02X}": status_word(number) for number in range(1, 8)},
    "040005FF": _status_block,
}
