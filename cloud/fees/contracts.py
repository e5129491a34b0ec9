"""Leases (租赁合同, F-15): party, shops, rent with its yearly step, rent-free spans, turnover rent, promotion fee, deposit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cloud.estate import service as estate
from cloud.fees import standards, store_contracts
from cloud.fees.calculator.rent import anniversaries, table
from cloud.fees.calculator.rules import Rent, parse_rules
from cloud.fees.domain_standards import NewAssignment, Version
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen, round_fen

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NewContract:
    """A lease over [from_day, to_day). `rent`: the document of a rent standard, `turnover`: of a turnover one; both are drafts
    until a second person publishes them. `promotion`: an existing standard. `rent_free`: half-open spans.
    """

    number: str
    owner_id: int
    rooms: tuple[int, ...]
    from_day: date
    to_day: date
    term_id: int
    rent: Mapping[str, Any]
    rent_free: tuple[tuple[date, date], ...] = ()
    turnover: Mapping[str, Any] | None = None
    turnover_term_id: int | None = None
    promotion: int | None = None
    deposit_months: Decimal | None = None
    note: str = ""
    renews: int | None = None


@dataclass(frozen=True, slots=True)
class Year:
    """A contract year, or the part of one under one price: its days (last one included) and the month's rent (Q-18)."""

    number: int
    first: date
    last: date
    rent_fen: Fen


async def add(tx: Tx, project_id: int, new: NewContract, *, at: datetime, by: str) -> int:
    """Store a lease with what it charges, all or nothing; its id.

    Refused `bad_days`, `no_object`, `bad_rent_free`, `missing_fact` (a shop without area), `unknown_item` (租金 is not in the
    catalogue), `bad_renewal` (it does not go on where the other ended); NotFound for a party or shop of another project; Conflict
    `number_taken`, `overlap`, `renewed` (the other is renewed already).
    """
    if new.renews is not None:
        await _goes_on(tx, project_id, new)
    if new.to_day <= new.from_day:
        raise Refused("bad_days", "最后一天早于第一天", "it ends before it begins", field="last_day")
    for first, to in new.rent_free:
        if not new.from_day <= first < to <= new.to_day:
            raise Refused("bad_rent_free", "免租期要在合同期内", "a rent-free span outside the lease", field="rent_free")
    owner = next(iter(await estate.owner_records(tx, [new.owner_id])), None)
    if owner is None or owner.project_id != project_id:
        raise NotFound("owner_not_found", "本项目没有这位承租人", f"no owner {new.owner_id} here", field="party")
    rooms = await estate.room_records(tx, project_id, list(new.rooms)) if new.rooms else []
    if not rooms or len(rooms) != len(set(new.rooms)):
        raise Refused("no_object", "写租的是哪些铺面", "shops are needed", field="rooms")
    rules = parse_rules(new.rent)
    assert isinstance(rules, Rent)
    month = sum(first_rent(rules, room) for room in rooms) if rules.rent_of == "area" else first_rent(rules, None)
    deposit = round_fen(month * Fraction(new.deposit_months)) if new.deposit_months else 0
    made = await store_contracts.add(
        tx, project_id, new.number, new.owner_id, (new.from_day, new.to_day), (deposit, new.deposit_months), new.rent_free,
        new.note, new.renews, at, by,
    )  # fmt: skip
    if made is None:
        raise Conflict("number_taken", f"合同号 {new.number} 已经有了", f"contract {new.number} is there", field="number")
    await _charge(tx, project_id, made, new, rules, rooms, at, by)
    return made


async def _goes_on(tx: Tx, project_id: int, new: NewContract) -> None:
    """A renewal begins on the day after the lease before it, for the same party."""
    assert new.renews is not None
    old = await get(tx, new.renews)
    if old["project_id"] != project_id or old["owner_id"] != new.owner_id or old["over_day"] != new.from_day:
        zh = f"续签要同一承租人，从 {old['over_day']} 起"
        raise Refused("bad_renewal", zh, "a renewal goes on where the other ended", field="first")
    if old["renewed_by"] is not None:
        raise Conflict("renewed", "这份合同已经续签过", "the lease is renewed already", field="number")


async def _charge(
    tx: Tx, project_id: int, made: int, new: NewContract, rules: Rent, rooms: Sequence[estate.RoomRecord], at: datetime, by: str
) -> None:
    """The lease's own rent and turnover standards as drafts, and its assignments."""
    shops = [(room.id, room.code) for room in rooms]
    whole = [(None, f"合同 {new.number}")]
    objects: Sequence[tuple[int | None, str]] = shops if rules.rent_of == "area" else whole
    spans = [[first.isoformat(), to.isoformat()] for first, to in new.rent_free]
    options = {"rent_free": spans} if spans else {}
    wanted: list[tuple[int, Sequence[tuple[int | None, str]], Mapping[str, Any], int | None]] = []
    rent = await _standard(tx, project_id, "rent", made, f"租金 {new.number}", new.from_day, (new.rent, new.term_id), at, by)
    wanted.append((rent, objects, options, None))
    if new.turnover is not None:
        term = new.turnover_term_id or new.term_id
        draft = (new.turnover, term)
        share = await _standard(tx, project_id, "turnover", made, f"抽成 {new.number}", new.from_day, draft, at, by)
        wanted.append((share, whole, {}, None))
    if new.promotion is not None:
        if (await standards.get_standard(tx, new.promotion)).project_id != project_id:
            raise NotFound("standard_not_found", "没有这个收费标准", f"no standard {new.promotion} here", field="promotion")
        wanted.append((new.promotion, shops, {}, None))
    for standard, things, own, term_id in wanted:
        rows = [
            NewAssignment(standard, room, name, new.from_day, new.to_day, term_id, new.owner_id, made, own, f"合同 {new.number}")
            for room, name in things
        ]
        await standards.assign(tx, standard, rows, at=at, by=by)


async def _standard(
    tx: Tx,
    project_id: int,
    item: str,
    made: int,
    name: str,
    start: date,
    draft: tuple[Mapping[str, Any], int],
    at: datetime,
    by: str,
) -> int:
    standard = await standards.add_standard(
        tx, project_id, item=item, code=f"contract-{made}-{item}", name=name[:60], at=at, by=by
    )
    document, term = draft
    await standards.draft_version(
        tx, standard, effective_from=start, document=document, term_id=term, reason=f"租赁{name}"[:200], at=at, by=by
    )
    return standard


def first_rent(rules: Rent, room: estate.RoomRecord | None) -> Fen:
    """The month's rent of the first contract year, rounded (Q-18)."""
    if rules.rent_of == "contract" or room is None:
        return round_fen(Fraction(rules.price) * 100)
    areas = {"gross": room.values.area, "inner": room.values.inside_area, "used": room.values.apportion_area}
    area = areas.get(rules.area_kind or "")
    if area is None:
        raise Refused("missing_fact", f"{room.code} 没有填面积", f"no area of {room.code}", field="rooms")
    return round_fen(Fraction(rules.price) * Fraction(area) * 100)


async def get(tx: Tx, contract_id: int) -> dict[str, Any]:
    """NotFound `contract_not_found`, also outside the scope."""
    found = await store_contracts.contract(tx, contract_id)
    if found is None:
        raise NotFound("contract_not_found", "没有这份合同", f"no contract {contract_id}", field="contract")
    return found


def years(versions: Sequence[Version], rooms: Sequence[estate.RoomRecord], from_day: date, to_day: date) -> list[Year]:
    """The rent table: every shop's rent is stepped and rounded by itself, then they are added up (Q-18); a year is cut where
    another price begins, and that one steps from the next contract year on.
    """
    starts = [from_day, *anniversaries(from_day, to_day)]
    days = sorted({*starts, *(one.effective_from for one in versions if from_day < one.effective_from < to_day)})
    found = []
    for first, to in zip(days, [*days[1:], to_day], strict=True):
        version = next(one for one in reversed(versions) if one.effective_from <= first)
        rules = version.rules
        assert isinstance(rules, Rent)
        since = _year(starts, max(version.effective_from, from_day))
        firsts = [first_rent(rules, room) for room in rooms] if rules.rent_of == "area" else [first_rent(rules, None)]
        number = _year(starts, first)
        rent = sum(table(fen, rules.step, number - since + 1)[-1] for fen in firsts)
        found.append(Year(number, first, to - DAY, rent))
    return found


def _year(starts: Sequence[date], day: date) -> int:
    """Which contract year a day lies in, from 1."""
    return sum(start <= day for start in starts)


async def rent_table(tx: Tx, contract: Mapping[str, Any]) -> tuple[list[Year], Version | None]:
    """The years of a lease, and the version its rent comes from (the latest, also while it is a draft). Published prices count;
    while none is, the first draft does."""
    charges = [one for one in await store_contracts.charges(tx, contract["id"]) if one["item"] == "rent"]
    if not charges:
        return [], None
    known = [one for one in await standards.versions(tx, contract["project_id"]) if one.standard_id == charges[0]["standard_id"]]
    if not known or not all(isinstance(one.rules, Rent) for one in known):
        return [], None
    ids = sorted({one["room_id"] for one in charges if one["room_id"] is not None})
    rooms = await estate.room_records(tx, contract["project_id"], ids) if ids else []
    priced = [one for one in known if one.state == "published"] or known[:1]
    if priced[0].effective_from > contract["from_day"]:
        return [], known[-1]
    return years(priced, rooms, contract["from_day"], contract["to_day"]), known[-1]
