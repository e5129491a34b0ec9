"""What a file of rooms would do to a project: which rooms are new, which change, which are as they were (O-20). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cloud.estate.domain_fields import shown
from cloud.estate.domain_import import ALIASES, Problem, Row, letters
from cloud.estate.domain_owners import OwnerValues
from cloud.estate.domain_tree import RoomRecord

_ROOM = tuple(name for name in ALIASES if not name.startswith("owner_") and name not in ("plates", "status", "status_since"))
_OWNER = ("kind", "credit_code", "email", "emergency_name", "emergency_phone", "address", "invoice_title", "tax_no", "tags")
Digest = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Person:
    """An owner who is there already, as an import compares them."""

    id: int
    name: str
    number: str
    phones: frozenset[str]
    identity: bytes | None
    rest: Mapping[str, Any]


@dataclass
class Plan:
    """`changes`: rooms that the file says otherwise of, or of their owner; `attach`: rooms that get their first owner; `people`:
    owner -> what the file says of them; `plates`: rooms with cars to look at.
    """

    new: list[Row] = field(default_factory=list)
    changes: list[tuple[RoomRecord, Row]] = field(default_factory=list)
    same: int = 0
    people: dict[int, tuple[Person, OwnerValues]] = field(default_factory=dict)
    attach: list[tuple[RoomRecord, Row]] = field(default_factory=list)
    plates: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    bad_rows: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)

    @property
    def counts(self) -> dict[str, int]:
        return {"added": len(self.new), "changed": len(self.touched), "same": self.same, "bad": len(self.bad_rows)}


@dataclass
class Known:
    """What the project has: rooms by code, owners by id and by what tells them apart, plates with their room."""

    rooms: Mapping[str, RoomRecord]
    people: Mapping[int, Person]
    plates: Mapping[str, int | None]
    digest: Digest = field(repr=False)
    _numbers: dict[str, Person] = field(init=False, repr=False)
    _marks: dict[tuple[str, object], Person] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._numbers = {one.number: one for one in self.people.values()}
        self._marks = {}
        for one in self.people.values():
            for mark in (one.identity, *one.phones):
                if mark:
                    self._marks.setdefault((one.name, mark), one)

    def person(self, owner: OwnerValues) -> Person | None:
        """The same owner: by number, else by name with identity number or phone."""
        if owner.number and owner.number in self._numbers:
            return self._numbers[owner.number]
        return next((self._marks[owner.name, mark] for mark in self.marks(owner) if (owner.name, mark) in self._marks), None)

    def marks(self, owner: OwnerValues) -> list[object]:
        """What tells two of a name apart."""
        found: list[object] = [owner.number] if owner.number else []
        found += [self.digest(owner.identity)] if owner.identity else []
        return found + [one.phone for one in owner.phones[:1]]


def make_plan(rows: Sequence[Row], fields: Mapping[str, int], headings: Sequence[str], known: Known, today: date) -> Plan:
    """`fields`: field -> its column. Rows with a problem do nothing."""
    plan = Plan()
    for row in rows:
        room = known.rooms.get(row.room.code)
        problem = next(iter(row.problems), None) or _against(row, room, fields, headings, known, today)
        if problem is not None:
            plan.problems += row.problems or (problem,)
            plan.bad_rows.add(row.number)
            continue
        if room is None:
            plan.new.append(row)
            continue
        if changed(room, row, fields) or (row.status != room.status and "status" in fields):
            plan.changes.append((room, row))
            plan.touched.add(room.id)
        if _owner_of(plan, room, row, known):
            plan.touched.add(room.id)
        if room.id not in plan.touched:
            plan.same += 1
        elif row.plates:
            plan.plates.append(row)
    return plan


def _owner_of(plan: Plan, room: RoomRecord, row: Row, known: Known) -> bool:
    """Whether something of the owner or of the cars is new."""
    fresh_plates = any(plate not in known.plates for plate in row.plates)
    if row.owner is None:
        return fresh_plates
    if room.payer_id is None:
        plan.attach.append((room, row))
        return True
    person = known.people.get(room.payer_id)
    if person is not None and _differs(person, row.owner, known):
        plan.people[person.id] = (person, row.owner)
        return True
    return fresh_plates


def _differs(person: Person, owner: OwnerValues, known: Known) -> bool:
    if owner.identity and known.digest(owner.identity) != person.identity:
        return True
    if any(one.phone not in person.phones for one in owner.phones):
        return True
    return any(
        _set(getattr(owner, name)) and _plain(getattr(owner, name)) != _plain(person.rest[name])
        for name in _OWNER
        if name != "kind"
    )


def changed(room: RoomRecord, row: Row, fields: Mapping[str, int]) -> dict[str, Any]:
    """What a row says otherwise than the room; an empty cell says nothing."""
    found = {}
    for name in _ROOM:
        value = getattr(row.room, name)
        if name in fields and _set(value) and value != getattr(room.values, name):
            found[name] = value
    return found


def _against(
    row: Row, room: RoomRecord | None, fields: Mapping[str, int], headings: Sequence[str], known: Known, today: date
) -> Problem | None:
    """What a row says that cannot be, given what is there."""

    def fault(key: str, reason: str, value: str = "") -> Problem:
        column = fields.get(key, 0)
        return Problem(row.number, f"{letters(column)}{row.number}", headings[column], shown(value), reason)

    if row.since is not None and row.since > today:
        return fault("status_since", f"{row.since} 还没到", str(row.since))
    for plate in row.plates:
        if room is not None and known.plates.get(plate, room.id) not in (room.id, None):
            return fault("plates", f"车牌 {plate} 已经登记在别的房间", plate)
        if room is None and plate in known.plates:
            return fault("plates", f"车牌 {plate} 已经登记在别的房间", plate)
    if room is None:
        return None
    if room.closed_on is not None:
        return fault("code", f"{room.code} 从 {room.closed_on} 起已关闭（拆分或合并过），删掉这一行", room.code)
    person = known.people.get(room.payer_id or 0)
    if row.owner is not None and person is not None and row.owner.name != person.name and row.owner.number != person.number:
        return fault("owner_name", "这户登记的是另一位业主。换业主请办过户，这里只改同一位业主的资料", row.owner.name)
    if "status" in fields and row.status != room.status and room.since is not None and (row.since or today) < room.since:
        return fault("status_since", f"现在的状态从 {room.since} 起，新的不能更早", str(row.since or ""))
    return None


def _set(value: object) -> bool:
    return value is not None and value != "" and value != ()


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
