"""Data identifiers of DL/T 645-1997: two bytes, the second digit pair counts what the first groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from protocols.codecs.dlt645.items import PHASES, Quantity, Said, address, clock, day, sized, slots, tariff_items
from protocols.codecs.problems import problem

_ENERGY = {
    (0x90, 1): Quantity("energy_import", "kWh", 4, 2),
    (0x90, 2): Quantity("energy_export", "kWh", 4, 2),
    (0x91, 1): Quantity("reactive_energy_import", "kvarh", 4, 2),
    (0x91, 2): Quantity("reactive_energy_export", "kvarh", 4, 2),
    (0x91, 3): Quantity("reactive_energy_q1", "kvarh", 4, 2),
    (0x91, 4): Quantity("reactive_energy_q4", "kvarh", 4, 2),
    (0x91, 5): Quantity("reactive_energy_q2", "kvarh", 4, 2),
    (0x91, 6): Quantity("reactive_energy_q3", "kvarh", 4, 2),
}
_MONTHS_BACK = {0x90: 0, 0x94: 1, 0x98: 2}
"""90/91 now, 94/95 last month, 98/99 the month before."""

_PER_PHASE = {
    1: (Quantity("voltage", "V", 2, 0), False),
    2: (Quantity("current", "A", 2, 2), False),
    3: (Quantity("active_power", "kW", 3, 4), True),
    4: (Quantity("reactive_power", "kvar", 2, 2), True),
    5: (Quantity("power_factor", "", 2, 3), True),
}
_BLOCK_END = 0xAA


def read_item(di: str, data: bytes) -> Said:
    """The values of one identifier (four digits, DI1 first). Refused as in the 2007 edition."""
    special = _SPECIAL.get(di)
    if special is not None:
        return special(data)
    first, second = bytes.fromhex(di)
    group, member = second >> 4, second & 0x0F
    base = first & 0xFC
    if base in _MONTHS_BACK and (0x90 | first & 3, group) in _ENERGY:
        return _energy(_ENERGY[0x90 | first & 3, group], member, _MONTHS_BACK[base], data)
    if first == 0xB6 and group in _PER_PHASE:
        return _phases(group, member, data)
    raise problem("unsupported", f"data identifier {di}", di=di)


def _energy(quantity: Quantity, tariff: int, settlement: int, data: bytes) -> Said:
    more: Said = {"settlement": settlement} if settlement else {}
    if tariff == 0x0F:
        block = data[:-1] if len(data) % quantity.size == 1 and data[-1] == _BLOCK_END else data
        return {"items": [item | more for item in tariff_items(quantity, block)]}
    return quantity.say(sized(data, quantity.size), tariff=tariff, **more)


def _phases(group: int, member: int, data: bytes) -> Said:
    quantity, has_total = _PER_PHASE[group]
    names: tuple[str | None, ...] = (None, *PHASES) if has_total else PHASES
    if member == 0x0F:
        block = data[:-1] if len(data) % quantity.size == 1 and data[-1] == _BLOCK_END else data
        found = slots(block, quantity.size, len(names))
        return {"items": [quantity.say(slot, **_phase(name)) for slot, name in zip(found, names, strict=False)]}
    if member > 3 or (not member and not has_total):
        raise problem("unsupported", f"data identifier B6{group:X}{member:X}")
    return quantity.say(sized(data, quantity.size), **_phase(names[member] if has_total else names[member - 1]))


def _phase(name: str | None) -> Said:
    return {} if name is None else {"phase": name}


def _status(data: bytes) -> Said:
    """C020 is one byte: the sixth bit tells of manual reading, the fourth of the battery; kept raw."""
    return {"kind": "status", "raw": f"{sized(data, 1)[0]:02X}"}


_SPECIAL: Mapping[str, Callable[[bytes], Said]] = {"C010": day, "C011": clock, "C020": _status, "C032": address}
