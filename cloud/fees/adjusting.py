"""Changing what is owed after it was billed: waivers, adjustments, cancelling, each by a second person (A-11, F-10, Q-68)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud.access.service import Approval, Principal, ask
from cloud.fees import store, store_adjusting
from cloud.fees.domain import Line
from cloud.fees.settling import lock_lines, waive
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import NotFound, Refused
from protocols.money import MAX_FEN, Fen, yuan
from protocols.time import business_date

WAIVER, ADJUST = "waiver", "charge.adjust"


async def ask_waiver(
    tx: Tx,
    principal: Principal,
    project_id: int,
    line_id: int,
    *,
    principal_fen: Fen,
    late_fee_fen: Fen,
    reason: str,
    key: str,
    terminal: str,
    now: datetime,
) -> Approval:
    """Ask to let go of a part of a line. Waivers of one owner in 12 months count together (A-11).

    NotFound `line_not_found`; Refused `not_open`, `waiver_too_large`; those of `ask`.
    """
    line = await _open_line(tx, project_id, line_id, now)
    left, late_left = await _waivable(tx, line, now), line.late_fee_fen - line.late_paid_fen
    if not 0 <= principal_fen <= left or not 0 <= late_fee_fen <= late_left or principal_fen + late_fee_fen == 0:
        zh = f"最多可减免本金 {yuan(left)} 元、违约金 {yuan(late_left)} 元"
        raise Refused("waiver_too_large", zh, "more than the line owes, or nothing", field="amount_fen")
    return await ask(
        tx,
        principal,
        kind=WAIVER,
        project_id=project_id,
        subject=f"line:{line_id}",
        title=f"减免 {line.item.name} {line.object}",
        amount_fen=principal_fen + late_fee_fen,
        payload={"line": line_id, "principal_fen": principal_fen, "late_fee_fen": late_fee_fen},
        before=f"欠本金 {yuan(line.principal_left)} 元、违约金 {yuan(late_left)} 元",
        after=f"欠本金 {yuan(line.principal_left - principal_fen)} 元、违约金 {yuan(late_left - late_fee_fen)} 元",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=_gains(line),
    )


async def waiver_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: the line owes less, and the books say who let it go. Refused when it owes too little by now."""
    project_id, facts = approval.project_id, approval.payload
    line = await _open_line(tx, project_id, _int(facts["line"]), now)
    principal_fen, late_fee_fen = _int(facts["principal_fen"]), _int(facts["late_fee_fen"])
    if principal_fen > await _waivable(tx, line, now):
        zh = f"{line.item.name} {line.object} 在此期间调整过，减免超过欠费，请重新申请"
        raise Refused("waiver_too_large", zh, "the line was adjusted meanwhile", field="amount_fen")
    source, ref = f"waiver:{approval.id}", f"line:{line.id}"
    await waive(tx, line, principal_fen=principal_fen, late_fee_fen=late_fee_fen, day=business_date(now), source=source)
    postings = []
    if principal_fen:
        postings += [
            ledger.Posting(ledger.Account.WAIVER.of(line.item.code), principal_fen, ref),
            ledger.Posting(ledger.Account.RECEIVABLE, -principal_fen, ref),
        ]
    if late_fee_fen:
        postings += [
            ledger.Posting(ledger.Account.WAIVER.of("late_fee"), late_fee_fen, ref),
            ledger.Posting(ledger.Account.LATE_FEE.of("waived"), -late_fee_fen, ref),
        ]
    await _post(tx, project_id, "waiver", source, now, postings, approval, principal)


async def ask_adjustment(
    tx: Tx,
    principal: Principal,
    project_id: int,
    line_id: int,
    *,
    amount_fen: Fen,
    formula: str,
    reason: str,
    key: str,
    terminal: str,
    now: datetime,
) -> Approval:
    """Ask for an adjustment line (调整单) that points at a line: negative when too much was billed (F-10, Q-68).

    What was waived or discounted of it cannot be taken back once more. NotFound `line_not_found`; Refused `bad_amount`,
    `is_adjustment`, `no_formula`; those of `ask`.
    """
    line = await _line(tx, project_id, line_id, now)
    if line.adjusts is not None:
        zh = "这是一张调整单，请调整原来那笔应收"
        raise Refused("is_adjustment", zh, f"line {line_id} adjusts {line.adjusts}", field="line")
    asked_for, lessened = await store_adjusting.family_fen(tx, line_id)
    if not amount_fen or abs(amount_fen) > MAX_FEN or asked_for - lessened + amount_fen < 0:
        adjusted = asked_for - line.amount_fen
        zh = f"调整后应收不能是负数；原应收 {yuan(line.amount_fen)} 元，已调整 {yuan(adjusted)} 元，已减免 {yuan(lessened)} 元"
        raise Refused("bad_amount", zh, "the line would be below zero", field="amount_fen")
    if not formula.strip():
        raise Refused("no_formula", "写明调整的算式", "an adjustment explains itself", field="formula")
    return await ask(
        tx,
        principal,
        kind=ADJUST,
        project_id=project_id,
        subject=f"line:{line_id}",
        title=f"调整 {line.item.name} {line.object}",
        amount_fen=abs(amount_fen),
        payload={"act": "adjust", "line": line_id, "amount_fen": amount_fen, "formula": formula.strip()},
        before=f"应收 {yuan(asked_for)} 元",
        after=f"应收 {yuan(asked_for + amount_fen)} 元",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=_gains(line),
    )


async def ask_cancel(
    tx: Tx, principal: Principal, project_id: int, line_ids: Sequence[int], *, reason: str, key: str, terminal: str, now: datetime
) -> Approval:
    """Ask to cancel lines nothing was paid on, and their adjustments with them, so that they can be made again (F-10).

    The tier follows from all that is cancelled, charges and credits alike, and counts for the payer of the most of it. NotFound
    `line_not_found`; Refused `line_paid` for one with a payment, `line_adjusted` for an adjustment that others rest on,
    `month_closed` (C-38): adjust it; those of `ask`.
    """
    lines = await lock_lines(tx, project_id, sorted(set(line_ids)), business_date(now))
    if not lines or len(lines) != len(set(line_ids)):
        raise NotFound("line_not_found", "没有这笔应收", "no such charge line", field="line_ids")
    adjustments: set[int] = set()
    for line in lines:
        adjustments |= await store_adjusting.family(tx, line.id) if line.adjusts is None else set()
    if adjustments - {line.id for line in lines}:
        lines = await lock_lines(tx, project_id, sorted(adjustments | set(line_ids)), business_date(now))
    await _untouched(tx, lines)
    total = sum(line.amount_fen for line in lines)
    payers: dict[str, Fen] = {}
    for line in lines:
        payers[_gains(line)] = payers.get(_gains(line), 0) + abs(line.amount_fen)
    return await ask(
        tx,
        principal,
        kind=ADJUST,
        project_id=project_id,
        subject=f"lines:{lines[0].id}+{len(lines) - 1}",
        title=f"取消 {len(lines)} 笔应收",
        amount_fen=sum(payers.values()),
        payload={"act": "cancel", "lines": [line.id for line in lines]},
        before=f"{len(lines)} 笔未缴，共 {yuan(total)} 元",
        after="已取消，可重新生成",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=max(payers, key=lambda one: (payers[one], one)),
    )


async def adjustment_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler of both: an adjustment line is billed, or lines are cancelled."""
    if approval.payload["act"] == "cancel":
        return await _cancel(tx, approval, principal, now)
    line = await _line(tx, approval.project_id, _int(approval.payload["line"]), now)
    amount, source = _int(approval.payload["amount_fen"]), f"adjust:{approval.id}"
    asked_for, lessened = await store_adjusting.family_fen(tx, line.id)
    if asked_for - lessened + amount < 0:
        zh = "这笔应收在此期间又调整或减免过，请重新申请"
        raise Refused("bad_amount", zh, "the line would be below zero by now")
    batch = await store.next_batch(tx)
    formula = str(approval.payload["formula"])
    await store_adjusting.add(tx, line.id, batch, amount, formula, business_date(now), now, principal.number)
    ref = f"batch:{batch}"
    postings = [ledger.Posting(ledger.Account.RECEIVABLE, amount, ref), ledger.Posting(line.item.account, -amount, ref)]
    body = {"batch": batch, "lines": 1, "digest": await store.batch_digest(tx, batch), "adjusts": line.id}
    await _post(tx, approval.project_id, "bill", source, now, postings, approval, principal, body)


async def _cancel(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    ids = approval.payload["lines"]
    assert isinstance(ids, list)
    lines = await lock_lines(tx, approval.project_id, ids, business_date(now))
    await _untouched(tx, lines)
    for month in sorted({line.period_from.replace(day=1) for line in lines}):
        await ledger.require_open_month(tx, approval.project_id, month)
    await store_adjusting.cancel(tx, [line.id for line in lines])
    totals: dict[str, Fen] = {}
    for line in lines:
        totals[line.item.account] = totals.get(line.item.account, 0) + line.amount_fen
    source = f"cancel:{approval.id}"
    postings = [ledger.Posting(ledger.Account.RECEIVABLE, -sum(totals.values()), source)]
    postings += [ledger.Posting(account, fen, source) for account, fen in sorted(totals.items())]
    await _post(tx, approval.project_id, "bill_cancel", source, now, postings, approval, principal, {"lines": list(ids)})


async def _untouched(tx: Tx, lines: Sequence[Line]) -> None:
    """Nothing was paid or let go of, and what stays of a line and its adjustments asks for nothing below zero."""
    gone: dict[int, set[int]] = {}
    names = {line.id: f"{line.item.name} {line.object}" for line in lines}
    for line in lines:
        if line.status != "open" or line.paid_fen or line.discount_fen:
            zh = f"{line.item.name} {line.object} 已有收款、减免或已取消，不能取消；要改请用调整单"
            raise Refused("line_paid", zh, f"line {line.id} is {line.status}", field="line_ids")
        gone.setdefault(line.adjusts or line.id, set()).add(line.id)
    for root, ids in gone.items():
        left = await store_adjusting.family(tx, root) - ids
        asked_for, lessened = await store_adjusting.family_fen(tx, root)
        asked_for -= sum(line.amount_fen for line in lines if line.id in ids)
        if left and (root in ids or asked_for < lessened):
            zh = f"{names[min(ids)]} 有调整单，要和调整单一起取消"
            raise Refused("line_adjusted", zh, f"line {root} and its adjustments stand together", field="line_ids")


def _gains(line: Line) -> str:
    """Whose gain it is when the line is lessened (A-11)."""
    return f"owner:{line.payer_id}" if line.payer_id else f"object:{line.object}"


async def _waivable(tx: Tx, line: Line, now: datetime) -> Fen:
    """How much of a locked line's principal can be let go of: what it owes, and with its adjustments never below zero."""
    root = line.adjusts or line.id
    if root != line.id:
        await _line(tx, line.project_id, root, now)
    asked_for, lessened = await store_adjusting.family_fen(tx, root)
    return min(line.principal_left, max(asked_for - lessened, 0))


async def _line(tx: Tx, project_id: int, line_id: int, now: datetime) -> Line:
    found = next(iter(await lock_lines(tx, project_id, [line_id], business_date(now))), None)
    if found is None or found.status in ("draft", "cancelled"):
        raise NotFound("line_not_found", "没有这笔应收", f"no charge line {line_id}", field="line")
    return found


async def _open_line(tx: Tx, project_id: int, line_id: int, now: datetime) -> Line:
    line = await _line(tx, project_id, line_id, now)
    if not line.open:
        raise Refused("not_open", f"{line.item.name} {line.object} 已不是待缴", f"line {line_id} is {line.status}", field="line")
    return line


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


async def _post(
    tx: Tx,
    project_id: int,
    kind: str,
    source: str,
    now: datetime,
    postings: Sequence[ledger.Posting],
    approval: Approval,
    principal: Principal,
    facts: dict[str, object] | None = None,
) -> None:
    body = {"approval": approval.id, "reason": approval.reason, "by": approval.requester_number, "approved_by": principal.number}
    await ledger.post(tx, ledger.Request(project_id, kind, source, now, now, business_date(now), postings, body | (facts or {})))
