"""Shifts: no payment is taken by a person without one (C-30); they end with a blind count (C-31, C-33)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.access.service import Principal, audit
from cloud.counter import floats, store, store_books, store_shifts
from cloud.counter.domain_cash import LONGEST_SHIFT, counted
from cloud.counter.store import Shift
from cloud.counter.store_shifts import Count
from cloud.estate import service as estate
from cloud.shared.db import Scope, Tx
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date, civil

SYSTEM = Principal(None, "system", "系统", (), Scope.none(), frozenset())
"""Who closes what nobody closed in time."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who stands at the counter."""

    user_id: int
    number: str
    name: str


def shift_no(shift: Shift) -> str:
    """As printed: 'BC-1124-12'."""
    return f"BC-{civil(shift.opened_at):%m%d}-{shift.id:02d}"


async def open_shift(
    tx: Tx, *, project_id: int, person: Person, terminal: str, float_fen: Fen, at: datetime, float_reason: str = ""
) -> Shift:
    """Open a shift of one person at one terminal (C-30). Opening the same again returns the open one.

    NotFound `project_not_found`; Conflict `shift_open` when the person works elsewhere, `terminal_taken` by somebody else;
    Refused `project_closed` (P-05), `float_differs` from what was left there without a `float_reason`.
    """
    project = await estate.get_project(tx, project_id)
    mine = await store.open_shift_of(tx, person.user_id)
    if mine is None:
        if (await estate.project_record(tx, project_id)).status == "closed":
            raise Refused("project_closed", f"{project.name} 已经退出，不能再收款", "the project is closed", field="project")
        book = await store_books.usable(tx, project_id, terminal)
        book = book or await store.ensure_book(tx, project_id, f"{project.code.upper()}-B", "counter")
        if book is None:
            raise Conflict("book_taken", "票据本的编号被别的项目占用", f"book {project.code.upper()}-B belongs elsewhere")
        user = (person.user_id, person.number, person.name)
        left = await floats.check(tx, project_id, terminal, float_fen, float_reason, person.user_id)
        made = await store.add_shift(tx, project_id, user, terminal, book, float_fen, at)
        if made is not None:
            await floats.opened(tx, project_id, made, user, left, float_fen, float_reason, at)
        mine = await store.open_shift_of(tx, person.user_id)
    if mine is not None and (mine.project_id, mine.terminal) == (project_id, terminal):
        return mine
    if mine is not None:
        raise Conflict(
            "shift_open", f"您在 {mine.terminal} 还有一个没交的班", f"a shift is open at {mine.terminal}", field="terminal"
        )
    other = await store.open_shift_at(tx, project_id, terminal)
    who = other.user_name if other else "别人"
    raise Conflict("terminal_taken", f"{terminal} 正由 {who} 当班", f"{terminal} is taken", field="terminal")


async def count_shift(
    tx: Tx, shift_id: int, notes: Mapping[int, int], who: Principal, *, key: str, at: datetime, reason: str = ""
) -> Count:
    """End a shift with a blind count, by its cashier, or by somebody else with a reason (C-31, C-33): no payment after it.

    What the ledger expects is computed and stored with the count, never told before. A cashier counts once; a second count is
    another person's. The same key gives the same count. NotFound `shift_not_found`; Refused `bad_count`, `frozen`,
    `no_reason`, `not_your_shift`; Conflict `already_counted`, `handover_waiting`, `already_handed`, `key_used`.
    """
    fen = counted(notes)
    shift = await store_shifts.locked(tx, shift_id) if 0 < shift_id < 2**31 else None
    if shift is None:
        raise NotFound("shift_not_found", "没有这个班次", f"no shift {shift_id}", field="shift")
    known = await store_shifts.count_by_key(tx, shift["project_id"], key)
    if known is not None:
        return _same_count(known, f"shift:{shift_id}", fen)
    mine = shift["user_id"] == who.user_id
    reason = reason.strip()
    last = await store_shifts.last_count(tx, shift["project_id"], f"shift:{shift_id}")
    _may_count(shift, last, mine=mine, reason=reason, at=at)
    await store_shifts.end(tx, shift_id, at, who.number, None if mine else reason)
    holder = (shift["user_id"], shift["user_number"], shift["user_name"])
    made = await _store_count(
        tx, f"shift:{shift_id}", holder, who, notes, key=key, at=at, project_id=shift["project_id"], shift_id=shift_id,
        place=shift["terminal"], float_fen=shift["float_fen"], reason=None if mine else reason,
    )  # fmt: skip
    if shift["frozen_at"] is not None:
        await store_shifts.freeze(tx, shift_id, None)
    if not mine:
        await audit(
            tx, who, "shift.close", f"shift:{shift_id}", None, {"counted_fen": fen, "holder": holder[1]}, reason, at=at,
            project_id=shift["project_id"], company_id=await _company(tx, shift["project_id"]),
        )  # fmt: skip
    return made


def _may_count(shift: Mapping[str, Any], last: Count | None, *, mine: bool, reason: str, at: datetime) -> None:
    if last is not None and last.handed == "confirmed":
        raise Conflict("already_handed", "这个班已经交接完了", "the shift is handed over")
    if last is not None and last.handed == "waiting":
        raise Conflict("handover_waiting", "正在等对方确认接班，不能重新盘点", "a hand-over is waiting")
    if mine and shift["frozen_at"] is not None:
        raise Refused("frozen", "抽屉已冻结，要由别人来复点", "the drawer is frozen: somebody else counts it")
    if mine and last is not None:
        raise Conflict("already_counted", "已经盘点过了，复点要由别人来做", "a cashier counts once", count=last.id)
    if mine:
        return
    overdue = shift["closed_at"] is not None or at - shift["opened_at"] > LONGEST_SHIFT
    if not overdue and business_date(shift["opened_at"]) >= business_date(at):
        raise NotAllowed("not_your_shift", "这是别人的班，由本人盘点交班", "somebody else's shift that is not overdue")
    if len(reason) < 2:
        raise Refused("no_reason", "代为盘点要写原因", "an administrative close needs a reason", field="reason")


async def count_guard(
    tx: Tx, project_id: int, box: str, operator: str, notes: Mapping[int, int], who: Principal, *, key: str, at: datetime
) -> Count:
    """Count a guard's lane cash (K-26): a shift of the box, which may cross midnight, is counted at its own hand-over (C-34).

    NotFound `drawer_not_found`; Conflict `handover_waiting`, `key_used`; Refused `bad_count`.
    """
    fen, drawer = counted(notes), f"guard:{box}:{operator}"
    await store_shifts.lock_drawer(tx, project_id, drawer)
    known = await store_shifts.count_by_key(tx, project_id, key)
    if known is not None:
        return _same_count(known, drawer, fen)
    if not await store_shifts.has_postings(tx, project_id, drawer):
        raise NotFound("drawer_not_found", "这个岗亭没有收过现金", f"no lane cash of {operator} at {box}", field="operator")
    last = await store_shifts.last_count(tx, project_id, drawer)
    if last is not None and last.handed == "waiting":
        raise Conflict("handover_waiting", "上一次盘点还在等对方确认", "a hand-over is waiting")
    if last is not None and last.handed == "refused" and who.number == operator:
        raise Refused("frozen", "抽屉已冻结，要由别人来复点", "the drawer is frozen: somebody else counts it")
    if last is not None and last.handed == "" and (who.number == operator or last.by_id == who.user_id):
        raise Conflict("already_counted", "已经盘点过了，复点要由别人来做", "one counts once", count=last.id)
    holder = (None, operator, operator)
    return await _store_count(tx, drawer, holder, who, notes, key=key, at=at, project_id=project_id, place=box)


async def _store_count(
    tx: Tx,
    drawer: str,
    holder: tuple[int | None, str, str],
    who: Principal,
    notes: Mapping[int, int],
    *,
    key: str,
    at: datetime,
    project_id: int,
    place: str,
    shift_id: int | None = None,
    float_fen: Fen = 0,
    reason: str | None = None,
) -> Count:
    drawer_fen, seq, hash_ = await store_shifts.drawer(tx, project_id, drawer)
    found = await store_shifts.takings(tx, shift_id) if shift_id is not None else {"tenders": [], "books": []}
    made = await store_shifts.add_count(
        tx,
        {
            "project_id": project_id, "drawer": drawer, "shift_id": shift_id, "holder_id": holder[0], "holder": holder[1],
            "holder_name": holder[2], "place": place, "by_id": who.user_id, "by_number": who.number, "by_name": who.name,
            "at": at, "business_date": business_date(at), "reason": reason,
            "notes": {str(value): n for value, n in notes.items() if n},
            "counted_fen": counted(notes), "float_fen": float_fen, "drawer_fen": drawer_fen, "takings": found, "head_seq": seq,
            "head_hash": hash_, "request_key": key,
        },
    )  # fmt: skip
    if made is None:
        raise Conflict("key_used", "这个请求号用过了，请刷新再试", "the key or the count was used meanwhile", field="key")
    await tx.notify("drawers", {"project_id": project_id, "drawer": drawer})
    return await count_of(tx, made)


def _same_count(known: Count, drawer: str, fen: Fen) -> Count:
    if (known.drawer, known.counted_fen) != (drawer, fen):
        raise Conflict("key_used", "这个请求号已经用于另一次盘点", "the key belongs to another count", field="key")
    return known


async def require_cash(tx: Tx, shift: Shift, fen: Fen, instead: str) -> None:
    """A drawer gives no more cash than lies in it; it stays locked until this transaction ends. How much lies there is not told:
    its count is blind (C-31). Refused `drawer_short`, saying what to do `instead`.
    """
    drawer = f"shift:{shift.id}"
    await store_shifts.lock_drawer(tx, shift.project_id, drawer)
    held, _, _ = await store_shifts.drawer(tx, shift.project_id, drawer)
    if shift.float_fen + held < fen:
        zh = f"抽屉里的现金不够 {yuan(fen)} 元，{instead}"
        raise Refused("drawer_short", zh, f"less than {fen} fen lie in the drawer of shift {shift.id}", field="way")


async def shift_of(tx: Tx, shift_id: int) -> Shift:
    """NotFound `shift_not_found`, also outside the scope."""
    found = await store.shift(tx, shift_id) if 0 < shift_id < 2**31 else None
    if found is None:
        raise NotFound("shift_not_found", "没有这个班次", f"no shift {shift_id}", field="shift")
    return found


async def count_of(tx: Tx, count_id: int) -> Count:
    """NotFound `count_not_found`, also outside the scope."""
    found = await store_shifts.count(tx, count_id) if 0 < count_id < 2**31 else None
    if found is None:
        raise NotFound("count_not_found", "没有这次盘点", f"no count {count_id}", field="count")
    return found


async def close_long_shifts(tx: Tx, at: datetime) -> int:
    """Shifts open for more than 16 hours take no more money; somebody has to count them, and HQ hears of it (C-33)."""
    found = await store_shifts.too_long(tx, at - LONGEST_SHIFT)
    for shift in found:
        await store_shifts.end(tx, shift["id"], at, "system", "开班超过 16 小时，系统停收")
        facts = {"project_id": shift["project_id"], "kind": "shift_too_long", "subject": f"shift:{shift['id']}"}
        await tx.notify("alarm", facts | {"holder": shift["user_number"], "place": shift["terminal"]})
    for shift in found:
        told = {"opened_at": shift["opened_at"], "holder": shift["user_number"]}
        await audit(
            tx, SYSTEM, "shift.close", f"shift:{shift['id']}", None, told, "开班超过 16 小时", at=at,
            company_id=shift["company_id"], project_id=shift["project_id"],
        )  # fmt: skip
    return len(found)


async def _company(tx: Tx, project_id: int) -> int:
    return (await estate.get_project(tx, project_id)).company_id
