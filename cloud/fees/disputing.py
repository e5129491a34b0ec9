"""Disputes of single lines by a second person: no late fee from the day of the flag, if approved (A-08)."""

from __future__ import annotations

from datetime import datetime

from cloud.access.service import Approval, Principal, ask, audit, setting
from cloud.estate import service as estate
from cloud.fees import settling
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import yuan
from protocols.time import business_date

DISPUTE = "charge.dispute"


async def ask_dispute(
    tx: Tx, principal: Principal, project_id: int, line_id: int, *, reason: str, key: str, terminal: str, now: datetime
) -> Approval | None:
    """Ask for a line to be flagged from today on; None: what it owes is under the company's free limit, so it is flagged.

    The late fee goes on until somebody approves, and then it stands as on the day of the flag. NotFound `line_not_found`; Refused
    `not_open`; Conflict `disputed`; those of `ask`.
    """
    day = business_date(now)
    line = next(iter(await settling.lock_lines(tx, project_id, [line_id], day)), None)
    if line is None or line.status in ("draft", "cancelled"):
        raise NotFound("line_not_found", "没有这笔应收", f"no charge line {line_id}", field="line")
    if line.disputed:
        raise Conflict("disputed", "这笔已经在争议处理中", "the line is disputed already", field="line")
    if not line.open:
        raise Refused("not_open", f"{line.item.name} {line.object} 已不是待缴", f"line {line_id} is {line.status}", field="line")
    company_id = (await estate.get_project(tx, project_id)).company_id
    if max(line.due_fen, 0) <= await setting(tx, "fees.free_dispute", company_id):
        await settling.dispute(tx, project_id, line_id, day=day, reason=reason, by=principal.number, at=now)
        await _tell(tx, principal, (company_id, project_id, line_id), reason, None, now)
        return None
    return await ask(
        tx,
        principal,
        kind=DISPUTE,
        project_id=project_id,
        subject=f"line:{line_id}",
        title=f"争议 {line.item.name} {line.object}",
        amount_fen=max(line.due_fen, 0),
        payload={"line": line_id, "from": day.isoformat()},
        before=f"欠 {yuan(line.due_fen)} 元，其中违约金 {yuan(line.late_fee_fen - line.late_paid_fen)} 元",
        after=f"自 {day} 起到了结为止不算违约金、不催、不从预存自动扣",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=f"owner:{line.payer_id}" if line.payer_id else f"object:{line.object}",
    )


async def dispute_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: flagged from the day it was asked for. Refused `not_open` when it was paid meanwhile."""
    line_id = approval.payload["line"]
    assert isinstance(line_id, int)
    line = next(iter(await settling.lock_lines(tx, approval.project_id, [line_id], business_date(now))), None)
    if line is None or not line.open:
        raise Refused("not_open", "这笔在等审批时已缴清或取消，请退回", f"line {line_id} is open no more", field="line")
    day = business_date(approval.requested_at)
    await settling.dispute(
        tx, approval.project_id, line_id, day=day, reason=approval.reason, by=approval.requester_number, at=now
    )
    await _tell(tx, principal, (approval.company_id, approval.project_id, line_id), approval.reason, approval.id, now)


async def _tell(tx: Tx, who: Principal, place: tuple[int, int, int], reason: str, approval: int | None, now: datetime) -> None:
    company_id, project_id, line_id = place
    facts = {"disputed": True, "approval": approval}
    await audit(
        tx, who, "fees.dispute", f"line:{line_id}", {"disputed": False}, facts, reason, at=now, company_id=company_id,
        project_id=project_id,
    )  # fmt: skip
