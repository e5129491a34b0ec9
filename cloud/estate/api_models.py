"""What the JSON of rooms, owners and projects takes, read with the same rules as a form or a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.estate.cases import shown
from cloud.estate.domain_fields import Reader
from cloud.estate.domain_owners import (
    OWNER_LABELS,
    OwnerValues,
    Phone,
    read_owner,
)
from cloud.estate.domain_tree import ROOM_LABELS, RoomValues, read_room
from protocols.errors import Refused

Id = Annotated[int, Field(ge=1, lt=2**31)]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Reason = Annotated[str, Field(min_length=2, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Item = Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,40}$")]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2199, 12, 31))]
Area = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=2)]
Use = Literal["residence", "apartment", "office", "shop", "parking", "storage", "advertising"]
Status = Literal["unsold", "handed_over", "vacant", "decorating", "occupied", "let"]


class Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PhoneInput(Input):
    phone: str = Field(max_length=30)
    label: str = Field(default="", max_length=20, pattern=r"^[^\x00-\x1f]*$")
    sms: bool = True
    wechat: bool = True
    call: bool = True
    wrong: bool = False


class OwnerFields(Input):
    """What is left out stays as it is (a new owner: empty). `identity`: '' takes it away. `phones`: these and no others."""

    name: Line | None = None
    number: Line | None = None
    kind: Literal["person", "org"] | None = None
    identity_type: Literal["", "id_card", "passport", "hk_macao", "taiwan", "residence", "other"] | None = None
    identity: Line | None = None
    credit_code: Line | None = None
    email: Line | None = None
    emergency_name: Line | None = None
    emergency_phone: Line | None = None
    address: Line | None = None
    invoice_title: Line | None = None
    tax_no: Line | None = None
    invoice_bank: Line | None = None
    invoice_account: Line | None = None
    language: Literal["zh", "en"] | None = None
    tags: list[Annotated[str, Field(min_length=1, max_length=20)]] | None = Field(default=None, max_length=20)
    note: Line | None = None
    phones: list[PhoneInput] | None = Field(default=None, max_length=20)


class NewOwner(OwnerFields):
    """`alike`: yes, a new record, although somebody with this phone and name or this identity number is there (O-06)."""

    project: Id
    name: Line
    alike: bool = False


class OwnerChange(OwnerFields):
    version: Id


class RoomFields(Input):
    """What is left out stays as it is. Areas in square metres."""

    code: Line | None = None
    building: Line | None = None
    zone: Line | None = None
    unit: Line | None = None
    floor: int | None = Field(default=None, ge=-20, le=300)
    number: Line | None = None
    use: Use | None = None
    area: Area | None = None
    inside_area: Area | None = None
    apportion_area: Area | None = None
    floor_factor: Decimal | None = Field(default=None, gt=0, le=100, decimal_places=4)
    headcount: int | None = Field(default=None, ge=0, le=999)
    handover_on: Day | None = None
    move_in_on: Day | None = None
    charge_from: Day | None = None
    note: Line | None = None


class NewRoomInput(RoomFields):
    code: Line
    status: Status = "occupied"
    status_since: Day | None = None


class RoomChange(RoomFields):
    version: Id


class StatusInput(Input):
    status: Status
    since: Day
    reason: Line = ""


class PartInput(RoomFields):
    """A room that a split or a merger makes; what is left out is as in the (first) old room."""

    code: Line


class SplitInput(Input):
    parts: list[PartInput] = Field(min_length=2, max_length=50)
    from_day: Day
    reason: Reason


class MergeRoomsInput(Input):
    project: Id
    rooms: list[Id] = Field(min_length=2, max_length=50)
    into: PartInput
    from_day: Day
    reason: Reason


class RelationInput(Input):
    """`last_day` is included. `share` in per cent, of owners only."""

    owner: Id
    relation: Literal["owner", "co_owner", "tenant", "family", "occupant", "agent"]
    share: Decimal | None = Field(default=None, gt=0, le=100, decimal_places=4)
    from_day: Day | None = None
    last_day: Day | None = None


class EndInput(Input):
    """`from_day`: the first day it no longer is."""

    from_day: Day


class PayerInput(Input):
    """`item` null: all that has no payer of its own. `owner` null: nobody pays."""

    item: Item | None = None
    owner: Id | None
    from_day: Day


class StopInput(Input):
    item: Item
    from_day: Day


class MergeOwnersInput(Input):
    keep: Id
    gone: Id
    reason: Reason


class IdentityInput(Input):
    reason: Reason


class VehicleInput(Input):
    plate: str = Field(min_length=5, max_length=20)
    room: Id | None = None
    space: str = Field(default="", max_length=40, pattern=r"^[^\x00-\x1f]*$")
    brand: str = Field(default="", max_length=40, pattern=r"^[^\x00-\x1f]*$")
    note: str = Field(default="", max_length=100, pattern=r"^[^\x00-\x1f]*$")


class ProjectChange(Input):
    """What is left out stays. `contract_last`: the last day of the contract. Closing a project is another act (P-05)."""

    version: Id
    name: str | None = Field(default=None, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")
    legal_entity: str | None = Field(default=None, max_length=80, pattern=r"^[^\x00-\x1f]*$")
    kind: Literal["residential", "office", "apartment", "mall", "market"] | None = None
    province: str | None = Field(default=None, max_length=40, pattern=r"^[^\x00-\x1f]*$")
    city: str | None = Field(default=None, max_length=40, pattern=r"^[^\x00-\x1f]*$")
    district: str | None = Field(default=None, max_length=40, pattern=r"^[^\x00-\x1f]*$")
    address: str | None = Field(default=None, max_length=120, pattern=r"^[^\x00-\x1f]*$")
    managed_area: Decimal | None = Field(default=None, gt=0, lt=10**12, decimal_places=2)
    households: int | None = Field(default=None, ge=0, lt=2**31)
    contract_from: Day | None = None
    contract_last: Day | None = None
    opening_day: Day | None = None
    status: Literal["planned", "active", "suspended"] | None = None
    price_basis: Literal["", "guided", "market"] | None = None
    filing_no: str | None = Field(default=None, max_length=60, pattern=r"^[^\x00-\x1f]*$")
    contact: str | None = Field(default=None, max_length=40, pattern=r"^[^\x00-\x1f]*$")
    contact_phone: str | None = Field(default=None, max_length=20, pattern=r"^[^\x00-\x1f]*$")


class AccountInput(Input):
    """A bank account by its number; the same number again changes the rest."""

    bank: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")
    number: str = Field(min_length=8, max_length=40, pattern=r"^[0-9 -]+$")
    holder: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$")
    purpose: str = Field(default="", max_length=40, pattern=r"^[^\x00-\x1f]*$")
    open: bool = True


def owner_values(body: OwnerFields, before: OwnerValues | None = None) -> OwnerValues:
    """What an owner would be. Refused `bad_input` naming every field that is wrong."""
    sent = body.model_dump(exclude_unset=True, exclude={"project", "alike", "version", "phones", "identity", "tags"})
    texts = shown(before) if before is not None else {}
    texts |= {name: "" if value is None else str(value) for name, value in sent.items()}
    if body.tags is not None:
        texts["tags"] = "、".join(body.tags)
    texts["identity"] = body.identity or ""
    reader = Reader(texts, OWNER_LABELS)
    phones = list(before.phones) if before is not None else []
    if body.phones is not None:
        phones = _phones(body.phones, reader)
    values = read_owner(reader, phones)
    _right(reader)
    return replace(values, identity="") if body.identity == "" else values


def room_values(body: RoomFields, before: RoomValues | None = None) -> RoomValues:
    """What a room would be. Refused `bad_input` naming every field that is wrong."""
    sent = body.model_dump(exclude_unset=True, exclude={"version", "status", "status_since"})
    texts = shown(before) if before is not None else {}
    texts |= {name: "" if value is None else str(value) for name, value in sent.items()}
    reader = Reader(texts, ROOM_LABELS)
    values = read_room(reader)
    _right(reader)
    return values


def part_values(body: PartInput, like: RoomValues) -> RoomValues:
    """A room of a split or merger: as the old one, but for its areas and its number."""
    return room_values(body, replace(like, code="", number="", area=None, inside_area=None, apportion_area=None, note=""))


def project_changes(body: ProjectChange) -> dict[str, Any]:
    """Columns to set. Refused `bad_day`, `empty`."""
    sent = body.model_dump(exclude_unset=True, exclude={"version", "contract_last"})
    unset = ("managed_area", "households", "contract_from", "opening_day")
    changes = {name: value for name, value in sent.items() if value is not None or name in unset}
    if "contract_last" in body.model_fields_set:
        changes["contract_to"] = None if body.contract_last is None else body.contract_last + timedelta(days=1)
    if not changes:
        raise Refused("empty", "没有要改的内容", "there is nothing to change", field="version")
    return changes


def _phones(sent: list[PhoneInput], reader: Reader) -> list[Phone]:
    found: dict[str, Phone] = {}
    for one in sent:
        own = Reader({"phone": one.phone}, OWNER_LABELS)
        number = own.phone("phone")
        for sentence in own.problems.values():
            reader.fail("phones", sentence)
        if number:
            found.setdefault(number, Phone(number, one.label, one.sms, one.wechat, one.call, one.wrong))
    return list(found.values())


def _right(reader: Reader) -> None:
    problems: Mapping[str, str] = reader.problems
    if problems:
        field, sentence = next(iter(problems.items()))
        raise Refused("bad_input", sentence, f"{', '.join(problems)}: wrong", field=field, problems=dict(problems))
