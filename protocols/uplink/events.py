"""What boxes report: the closed list of event kinds with their bodies (schema version 1).

Amounts are fen, instants ISO 8601 with offset, quantities decimal strings. `stay` is the box's id of a parking stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import Refused
from protocols.uplink.envelope import SCHEMA, Stream

Direction = Literal["in", "out"]
StrokeReason = Literal["paid", "pass", "free", "entry", "command", "manual", "fire", "fault", "none"]
"""Why an arm went up. `entry`: a casual stay begins; `none`: nobody commanded it (L-11), the one unexplained stroke."""


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Snapshot(Body):
    """A picture by its content: SHA-256 and size in bytes; the picture itself goes by HTTPS (DESIGN 2.7)."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=1)


class Boot(Body):
    """The box came up; `cause` as far as it can tell, `under_arm` lists lanes that found a vehicle under the arm."""

    version: str
    cause: Literal["start", "restart"]
    under_arm: list[str] = []


class Passage(Body):
    """One complete passage (L-03), posted only when the vehicle has left loop B.

    Leaving, `entered_at` says when it came (None when no entry is known), `fee_fen` what the stay cost and `paid_fen` what
    was paid for it; `tariff` names the version that priced it.
    """

    lane: str
    direction: Direction
    stay: str
    plate: str | None
    plate_read: str | None = None
    plate_colour: str | None = None
    confidence: int | None = Field(default=None, ge=0, le=100)
    vehicle_class: str = "small"
    category: str
    entered_at: str | None = None
    fee_fen: int | None = Field(default=None, ge=0)
    paid_fen: int | None = Field(default=None, ge=0)
    tariff: str | None = None
    stroke: int | None = None
    snapshot: Snapshot | None = None


class FeeDue(Body):
    """A vehicle waits at an exit and owes `fee_fen`; `lines` is the explained quote, as the hub would compute it itself."""

    lane: str
    stay: str
    plate: str | None
    vehicle_class: str
    entered_at: str
    left_at: str
    tariff: str
    fee_fen: int = Field(ge=0)
    quote: str


class Payment(Body):
    """Cash taken at the lane by the guard on duty, from the guard's drawer (K-26)."""

    payment: str
    lane: str
    stay: str
    plate: str | None
    amount_fen: int = Field(gt=0)
    tender: Literal["cash"]
    operator: str
    book: str
    number: int = Field(ge=1)


class Stroke(Body):
    """The arm went up: the lane's stroke counter `n` has no gaps, and each has a reason (DESIGN section 5)."""

    lane: str
    n: int = Field(ge=1)
    reason: StrokeReason
    stay: str | None = None
    by: str | None = None
    reference: str | None = None
    detail: str | None = None
    snapshot: Snapshot | None = None


class LaneNote(Body):
    """Anything else a lane has to tell: what happened, to which stay."""

    lane: str
    what: Literal[
        "abandoned",
        "reversed",
        "wrong_way",
        "tailgate",
        "obstruction",
        "stuck_open",
        "stuck_closed",
        "vehicle_under_arm",
        "refused",
        "unread",
        "call",
        "store_full",
    ]
    stay: str | None = None
    plate: str | None = None
    detail: str | None = None
    snapshot: Snapshot | None = None


class Device(Body):
    """A device failed or came back; `lane` or `bus` where it belongs to one."""

    device: str
    state: Literal["ok", "fault"]
    detail: str | None = None
    lane: str | None = None
    bus: str | None = None


class CommandDone(Body):
    """What became of a command (B-07)."""

    command: str
    name: str
    outcome: Literal["done", "refused", "expired", "replayed", "forged"]
    detail: str | None = None


class ClockJump(Body):
    """The wall clock was moved by more than a minute (L-34)."""

    before: str
    after: str
    jump_ms: int


class DocumentsSet(Body):
    """The box switched to a manifest."""

    generation: int
    n: int


class Reading(Body):
    """One register of one meter. `quality`: measured, or why it must be looked at (E-02)."""

    meter: str
    quantity: str
    value: str = Field(pattern=r"^-?\d+(\.\d+)?$")
    unit: str
    at: str
    tariff: int | None = None
    quality: Literal["good", "jump", "falling", "back_filled"] = "good"


class Readings(Body):
    """One round over one bus with everything it read (DESIGN 2.2)."""

    bus: str
    round: str
    items: list[Reading] = Field(min_length=1)
    missing: list[str] = []


KINDS: Mapping[str, tuple[Stream, type[Body]]] = {
    "boot": ("money", Boot),
    "passage": ("money", Passage),
    "fee_due": ("money", FeeDue),
    "payment": ("money", Payment),
    "stroke": ("money", Stroke),
    "lane_note": ("money", LaneNote),
    "device": ("money", Device),
    "command_done": ("money", CommandDone),
    "clock_jump": ("money", ClockJump),
    "documents_set": ("money", DocumentsSet),
    "readings": ("series", Readings),
}
"""kind -> (its stream, its body)."""

_OF_BODY: Mapping[type[Body], tuple[str, Stream]] = {model: (kind, stream) for kind, (stream, model) in KINDS.items()}


def parse_body(version: int, kind: str, body: object) -> Body:
    """A body as its model. Refused `future_schema`, `unknown_kind` or `bad_body`."""
    if version > SCHEMA:
        raise Refused("future_schema", "盒子的版本比总部新", f"schema version {version} is newer than {SCHEMA}")
    if kind not in KINDS:
        raise Refused("unknown_kind", "不认识的事件", f"unknown kind {kind}")
    try:
        return KINDS[kind][1].model_validate(body)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused("bad_body", "事件内容不对", f"{kind}.{where}: {first['msg']}", field=where) from None


def kind_of(body: Body) -> tuple[str, Stream]:
    """(kind, stream) of a body."""
    return _OF_BODY[type(body)]
