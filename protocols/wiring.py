"""What boxes receive as desired documents (lanes, tariffs, passes, calendar, staff, meters), and the simulator's pin wire.

Pin wire (simulator only, a unix socket; the box's gpiozero factory `sim` connects): text lines. Box -> plant: `out <pin> <0|1>`;
plant -> box: `in <pin> <0|1>`; `hello <box>` first from the box, whereupon the plant sends every input once. 1 means active.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LanePins(_Document):
    """BCM numbers. Inputs: loops, arm limit switches, fire link. Outputs: open and close pulses to the barrier."""

    loop_a: int
    loop_b: int
    arm_up: int
    arm_down: int
    open: int
    close: int
    fire: int | None = None


class OutagePolicy(_Document):
    """What a lane may decide alone. `unread_exit`: a vehicle without a readable plate or entry waits for the guard ('call')."""

    casual_exit: Literal["pay", "note_and_release"]
    unread_entry: Literal["admit", "call"]
    unread_exit: Literal["call", "free"]
    store_full_exit: Literal["call_then_open"] = "call_then_open"
    open_after_s: int = 60


class LaneConfig(_Document):
    """One lane: where it leads, how it is wired, which tariff prices its stays, how long its arm may travel."""

    lane: str
    name: str
    direction: Literal["in", "out"]
    zone: str
    pins: LanePins
    tariff: str
    policy: OutagePolicy
    pulse_ms: int = 500
    travel_ms: int = 6_000
    hold_ms: int = 30_000


class LanesDocument(_Document):
    site: str
    project: int
    lanes: tuple[LaneConfig, ...]


class TariffsDocument(_Document):
    """tariff id -> rules as protocols.tariff reads them; every version an open stay may need is here, current last."""

    tariffs: dict[str, dict[str, Any]]


class PassEntry(_Document):
    """One vehicle's right to pass, e.g. a monthly pass. Instants ISO 8601; `last` is the last moment it holds."""

    plate: str
    category: Literal["monthly", "vip", "free", "staff", "visitor", "blacklist"]
    start: str
    last: str


class PassesDocument(_Document):
    entries: tuple[PassEntry, ...]


class CalendarDocument(_Document):
    holidays: tuple[str, ...]
    makeup_workdays: tuple[str, ...]
    weekend_is_holiday_price: bool


class StaffEntry(_Document):
    """Who may use the box's panel; `pin` as `protocols.pin.hash_pin` writes it."""

    number: str
    name: str
    pin: str


class StaffDocument(_Document):
    entries: tuple[StaffEntry, ...]


class MeterPoint(_Document):
    """A meter on a bus: `meter` is the hub's meter number, `address` unit id (modbus) or 12-digit address (DL/T 645).

    `registers`: modbus register map (protocols.codecs.modbus) or a list of DL/T 645 data identifiers.
    """

    meter: str
    protocol: Literal["modbus", "dlt645-2007", "dlt645-1997"]
    address: str
    registers: list[Any]
    max_step: str | None = Field(default=None, description="largest believable growth between two rounds, as a decimal")


class BusConfig(_Document):
    """One line: a serial device or a TCP address, its meters, how often to read them (seconds)."""

    bus: str
    transport: Literal["tcp", "serial"]
    address: str
    baud: int = 2400
    parity: Literal["E", "N", "O"] = "E"
    every_s: float
    timeout_ms: int = 1_000
    quiet_ms: int = 100
    meters: tuple[MeterPoint, ...]


class MetersDocument(_Document):
    buses: tuple[BusConfig, ...]
