"""补录: a payment posted to an earlier business day, with headquarters' approval; both dates print (C-13, C-22)."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any

from cloud.access import service as access
from cloud.access.service import Approval, Principal
from cloud.counter import extras, store
from cloud.counter.collecting import CollectRequest, take
from cloud.counter.domain import Because, Offer, tender
from cloud.counter.domain_tender import excess
from cloud.counter.extras import DepositTaken, TopUp
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.shared.words import TENDERS
from protocols.errors import Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

LATE = "late_entry"
OLDEST = timedelta(days=62)


async def ask_late_entry(tx: Tx, who: Principal, request: CollectRequest, day: date, *, reason: str, now: datetime) -> Approval:
    """Ask for a payment to be entered under the day it was taken; the amounts are those of that day.

    Refused `bad_day` (not before today, or too old), `day_closed`, `no_shift`, `amount_changed`, those of
    `tender` and of `access.ask`.
    """
    today = business_date(now)
    if not today - OLDEST <= day < today:
        raise Refused("bad_day", "补录只能补今天以前 62 天内的", "a late entry is of an earlier day", field="day")
    if not await ledger.is_open(tx, request.project_id, day):
        raise Refused("day_closed", f"{day:%m-%d} 已经日结，不能再补录", f"{day} is closed", field="day")
    if request.round_fen:
        raise Refused("rounding_off", "补录不能抹零", "nothing is rounded off under an earlier day", field="round")
    shift = await store.open_shift_of(tx, who.user_id or 0)
    if shift is None or shift.project_id != request.project_id:
        raise Refused("no_shift", "请先开班，再申请补录", "no open shift in this project", field="shift")
    due = 0
    if request.line_ids:
        lines = await fees.lock_lines(tx, request.project_id, request.line_ids, day)
        due = sum(line.due_fen for line in lines if line.room_id == request.room_id and line.open)
    if due != request.expected_total_fen:
        zh = f"按 {day:%m-%d} 算，应收是 {yuan(due)} 元"
        raise Refused("amount_changed", zh, f"due was {due} fen", field="expected_total_fen", due_fen=due)
    total, paid = _told(request, due)
    room = await estate.get_room(tx, request.project_id, request.room_id) if request.room_id else None
    name = room.code if room else ""
    return await access.ask(
        tx, who, kind=LATE, project_id=request.project_id, subject=f"late:{request.key}",
        title=f"补录 {day:%Y-%m-%d} {name} 收款", amount_fen=total, payload={"day": day.isoformat(), "request": asdict(request)},
        before="没有入账", after=f"业务日期 {day:%Y-%m-%d} {paid}", reason=reason, key=f"{LATE}:{request.key}",
        terminal=request.terminal, now=now, beneficiary=f"owner:{room.payer_id}" if room and room.payer_id else None,
    )  # fmt: skip


def _told(request: CollectRequest, due: Fen) -> tuple[Fen, str]:
    """What will be booked, and as the approver reads it: how much of what was due, by which tenders. Refused as `tender`."""
    part = sum(fen for _, fen in request.chosen) if request.chosen else request.part_fen
    booked = due if part is None else part
    total = booked + extras.due(request.top_ups, request.deposits)
    if request.keep_excess:
        total += excess(total, request.offers)
    tenders, _ = tender(total, request.offers)
    ways = "、".join(f"{TENDERS[one.method]} {yuan(one.amount_fen)} 元" for one in tenders)
    return total, f"收 {yuan(total)} 元（{ways}）" + (f"；应收 {yuan(due)} 元，只收 {yuan(booked)} 元" if booked != due else "")


async def late_entry_approved(tx: Tx, approval: Approval, decider: Principal, now: datetime) -> None:
    """Book it in the shift that the asker has open now: the cash goes into that drawer (`approval_handlers`)."""
    shift = await store.open_shift_of(tx, approval.requester)
    if shift is None or shift.project_id != approval.project_id or not await store.hold_open(tx, shift.id):
        zh = f"{approval.requester_name}现在没有开班，等开班后再批"
        raise Refused("no_shift", zh, "the asker has no open shift", field="shift")
    request = replace(_request(approval.payload["request"]), shift_id=shift.id, terminal=shift.terminal)
    because = Because(approval.id, f"{decider.number} {decider.name}", approval.reason)
    await take(tx, request, shift, now, day=date.fromisoformat(str(approval.payload["day"])), because=because)


def _request(told: Any) -> CollectRequest:
    return CollectRequest(
        **told
        | {
            "line_ids": tuple(told["line_ids"]),
            "offers": tuple(Offer(**one) for one in told["offers"]),
            "chosen": tuple((line, fen) for line, fen in told["chosen"]),
            "top_ups": tuple(TopUp(**one) for one in told["top_ups"]),
            "deposits": tuple(DepositTaken(**one) for one in told["deposits"]),
        }
    )
