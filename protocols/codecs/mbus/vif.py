"""Value information of M-Bus (EN 13757-3, tables 10-13): code -> quantity, unit, power of ten."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """value = raw x 10**exponent in `unit`. `form`: number, or 'date', 'datetime', 'raw' for what is no number."""

    quantity: str
    unit: str
    exponent: int = 0
    form: str = "number"


_SPANS: tuple[tuple[int, int, str, str, int], ...] = (
    (0x00, 8, "energy", "Wh", -3),
    (0x08, 8, "energy", "J", 0),
    (0x10, 8, "volume", "m3", -6),
    (0x18, 8, "mass", "kg", -3),
    (0x28, 8, "power", "W", -3),
    (0x30, 8, "power", "J/h", 0),
    (0x38, 8, "volume_flow", "m3/h", -6),
    (0x40, 8, "volume_flow", "m3/min", -7),
    (0x48, 8, "volume_flow", "m3/s", -9),
    (0x50, 8, "mass_flow", "kg/h", -3),
    (0x58, 4, "flow_temperature", "°C", -3),
    (0x5C, 4, "return_temperature", "°C", -3),
    (0x60, 4, "temperature_difference", "K", -3),
    (0x64, 4, "external_temperature", "°C", -3),
    (0x68, 4, "pressure", "bar", -3),
)
"""first code, how many, quantity, unit, exponent of the first; each next one is ten times more."""

_TIMES = ("s", "min", "h", "d")
_TIMED = ((0x20, "on_time"), (0x24, "operating_time"), (0x70, "averaging_duration"), (0x74, "actuality_duration"))
_SINGLE = {
    0x6C: Meaning("date", "", form="date"),
    0x6D: Meaning("datetime", "", form="datetime"),
    0x6E: Meaning("heat_cost", "units"),
    0x78: Meaning("fabrication_number", ""),
    0x79: Meaning("identification", ""),
    0x7A: Meaning("bus_address", ""),
}
_FB: tuple[tuple[int, int, str, str, int], ...] = (
    (0x00, 2, "energy", "MWh", -1),
    (0x08, 2, "energy", "GJ", -1),
    (0x10, 2, "volume", "m3", 2),
    (0x18, 2, "mass", "t", 2),
    (0x28, 2, "power", "MW", -1),
    (0x30, 2, "power", "GJ/h", -1),
    (0x74, 4, "cold_warm_temperature_limit", "°C", -3),
    (0x78, 8, "maximum_power", "W", -3),
)
_FD: tuple[tuple[int, int, str, str, int], ...] = (
    (0x00, 4, "credit", "", -3),
    (0x04, 4, "debit", "", -3),
    (0x40, 16, "voltage", "V", -9),
    (0x50, 16, "current", "A", -12),
)
_FD_SINGLE = {
    0x08: "access_number",
    0x09: "medium",
    0x0A: "manufacturer",
    0x0B: "parameter_set",
    0x0C: "model",
    0x0D: "hardware_version",
    0x0E: "firmware_version",
    0x0F: "software_version",
    0x10: "customer_location",
    0x11: "customer",
    0x17: "error_flags",
    0x1A: "digital_output",
    0x1B: "digital_input",
    0x3A: "dimensionless",
    0x60: "reset_counter",
    0x61: "cumulation_counter",
}


def primary(code: int) -> Meaning | None:
    """The meaning of a VIF without its extension bit; None where it has none here."""
    if code in _SINGLE:
        return _SINGLE[code]
    for first, name in _TIMED:
        if first <= code < first + 4:
            return Meaning(name, _TIMES[code - first])
    return _of_spans(_SPANS, code)


def extended(table: int, code: int) -> Meaning | None:
    """The meaning of the byte after FB or FD."""
    if table == 0xFB:
        return _of_spans(_FB, code)
    if code in _FD_SINGLE:
        return Meaning(_FD_SINGLE[code], "", form="raw" if code == 0x17 else "number")
    return _of_spans(_FD, code)


def _of_spans(spans: tuple[tuple[int, int, str, str, int], ...], code: int) -> Meaning | None:
    for first, count, quantity, unit, exponent in spans:
        if first <= code < first + count:
            return Meaning(quantity, unit, exponent + code - first)
    return None
