"""What is taken from a deposit: damage becomes a charge line that the deposit pays, or open lines are offset (Q-66, F-11, C-02).

Never income until deducted: only the charge line's bill is revenue, and only an approved request makes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cloud.access.service import Approval, Principal, ask
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import lines
from cloud.wallets import store_deposits as store
from cloud.wallets.accounts import Deposit
from cloud.wallets.deposits import get, move
from cloud.wallets.domain import exceeds
from protocols.errors import NotFound, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date


@dataclass(frozen=True, slots=True)
class Deduction:
    """A deduction to be asked for. `cost_fen`: the whole damage, of which `amount_fen` comes from the deposit; what is left of it
    stays open on the charge line (Q-66). `item`: the fee item it is charged by.
    """

    amount_fen: Fen
    cost_fen: Fen
    item: str
    reason: str
    inspection_id: int | None = None


async def ask_deduct(
    tx: Tx, principal: Principal, deposit_id: int, wanted: Deduction, *, key: str, terminal: str, now: datetime
) -> Approval:
    """Ask to deduct (kind `deposit.deduct`); the tier follows from the whole charge.

    Refused `DEDUCTION_EXCEEDS_DEPOSIT`, `bad_cost`, `not_chargeable`, `bad_amount`.
    """
    deposit = await get(tx, deposit_id)
    await _check_deduction(tx, deposit, wanted)
    payload = {
        "amount_fen": wanted.amount_fen, "cost_fen": wanted.cost_fen, "item": wanted.item, "inspection": wanted.inspection_id,
    }  # fmt: skip
    return await ask(
        tx,
        principal,
        kind="deposit.deduct",
        project_id=deposit.project_id,
        subject=f"deposit:{deposit.id}",
        title=f"押金扣款 {deposit.no} {deposit.object} {deposit.item_name}",
        amount_fen=wanted.cost_fen,
        payload=payload,
        before=f"押金余额 {yuan(deposit.balance_fen)}",
        after=f"押金余额 {yuan(deposit.balance_fen - wanted.amount_fen)}；" + await _said(tx, deposit, wanted),
        reason=wanted.reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=None if deposit.payer_id is None else f"owner:{deposit.payer_id}",
    )


async def _said(tx: Tx, deposit: Deposit, wanted: Deduction) -> str:
    """What the approver has to know beside the balance: the whole charge, what stays due, whether there are photos (G-07)."""
    name = (await store.items(tx, deposit.project_id, deposits=False))[wanted.item]
    told = f"另记应收 {yuan(wanted.cost_fen)} 元（{name}）"
    if wanted.cost_fen > wanted.amount_fen:
        told += f"，其中 {yuan(wanted.cost_fen - wanted.amount_fen)} 元仍要业主付"
    seen = next((one for one in await store.inspections(tx, deposit.id) if one.id == wanted.inspection_id), None)
    if seen is None:
        return told + "；没有验收记录"
    signed = f"{seen.acknowledged_by} 已确认" if seen.acknowledged_by else "业主没有确认"
    return told + f"；{seen.on_day} 验收，照片 {len(seen.photos)} 张，{signed}"


async def _check_deduction(tx: Tx, deposit: Deposit, wanted: Deduction) -> None:
    if wanted.amount_fen <= 0:
        raise Refused("bad_amount", "金额要大于 0", "the amount must be above 0", field="amount")
    if wanted.cost_fen < wanted.amount_fen:
        raise Refused("bad_cost", "损失金额不能小于扣款金额", "the cost is below the deduction", field="cost")
    if wanted.amount_fen > deposit.balance_fen:
        raise exceeds(wanted.amount_fen, deposit.balance_fen)
    if deposit.room_id is None and deposit.payer_id is None:
        raise Refused("no_holder", "押金没有房间也没有缴款人，不能扣款", "nobody to charge", field="item")
    if wanted.item not in await store.items(tx, deposit.project_id, deposits=False):
        raise Refused("not_chargeable", "扣款要记到一个收费项目", f"{wanted.item} is no item to charge by", field="item")
    if wanted.inspection_id is not None and wanted.inspection_id not in {
        one.id for one in await store.inspections(tx, deposit.id)
    }:
        raise NotFound("inspection_not_found", "没有这次验收", f"no inspection {wanted.inspection_id}", field="inspection")


async def deduct_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """Carry out a deduction: the damage becomes a charge line, of which the deposit pays what was approved."""
    # Locked first: the bill locks the project's chain, which everybody else locks after the deposit.
    deposit = await get(tx, _number(approval.subject), lock=True)
    facts = approval.payload
    amount, cost = _fen(facts["amount_fen"]), _fen(facts["cost_fen"])
    inspection = facts["inspection"] if isinstance(facts["inspection"], int) else None
    wanted = Deduction(amount, cost, str(facts["item"]), approval.reason, inspection)
    await _check_deduction(tx, deposit, wanted)
    day = business_date(now)
    line_id = await _charge(tx, approval, deposit, wanted, day, now)
    await _pay(tx, approval, deposit, [(line_id, amount)], "deduct", inspection, principal, now)


async def _charge(tx: Tx, approval: Approval, deposit: Deposit, wanted: Deduction, day: date, now: datetime) -> int:
    """The charge line of a damage; one an approval, for its number stands in the object."""
    name = f"{deposit.object[:50]} {deposit.no}-{approval.id}"
    new = fees.NewLine(
        item=wanted.item,
        room_id=deposit.room_id,
        object=name,
        payer_id=deposit.payer_id,
        period_from=day,
        period_to=day + timedelta(days=1),
        formula=f"押金扣款 {yuan(wanted.cost_fen)} 元：{approval.reason}"[:400],
        amount_fen=wanted.cost_fen,
        due_date=day,
    )
    await fees.add_lines(
        tx, company_id=approval.company_id, project_id=deposit.project_id, lines=[new], at=now, by=approval.requester_number
    )
    if deposit.room_id is not None:
        found = await fees.open_lines(tx, deposit.project_id, deposit.room_id, day)
    else:
        assert deposit.payer_id is not None, "a deposit has a room or a payer"
        found = await fees.open_lines_of_payer(tx, deposit.project_id, deposit.payer_id, day)
    return next(line.id for line in found if line.object == name)


async def ask_offset(
    tx: Tx,
    principal: Principal,
    deposit_id: int,
    amounts: dict[int, Fen],
    *,
    reason: str,
    key: str,
    terminal: str,
    now: datetime,
) -> Approval:
    """Ask to pay open charge lines (line -> fen) from a deposit (C-02, kind `deposit.offset`).

    Refused `DEDUCTION_EXCEEDS_DEPOSIT`, `overpaid`; NotFound `line_not_found` for lines of somebody else.
    """
    deposit = await get(tx, deposit_id)
    total = sum(amounts.values())
    if not amounts or min(amounts.values()) <= 0:
        raise Refused("bad_amount", "金额要大于 0", "the amount must be above 0", field="amount")
    if total > deposit.balance_fen:
        raise exceeds(total, deposit.balance_fen)
    await _lines_of(tx, deposit, amounts, business_date(now))
    return await ask(
        tx,
        principal,
        kind="deposit.offset",
        project_id=deposit.project_id,
        subject=f"deposit:{deposit.id}",
        title=f"押金抵费 {deposit.no} {deposit.object} {deposit.item_name}",
        amount_fen=total,
        payload={"lines": {str(line): fen for line, fen in amounts.items()}},
        before=f"押金余额 {yuan(deposit.balance_fen)}",
        after=f"押金余额 {yuan(deposit.balance_fen - total)}",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=None if deposit.payer_id is None else f"owner:{deposit.payer_id}",
    )


async def offset_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """Carry out an offset. Refused when a line was paid meanwhile or the deposit no longer reaches."""
    deposit = await get(tx, _number(approval.subject))
    wanted = approval.payload["lines"]
    assert isinstance(wanted, dict), "written by ask_offset"
    amounts = [(int(line), _fen(fen)) for line, fen in sorted(wanted.items(), key=lambda one: int(one[0]))]
    await _pay(tx, approval, deposit, amounts, "offset", None, principal, now)


async def _lines_of(tx: Tx, deposit: Deposit, amounts: dict[int, Fen], day: date) -> list[fees.Line]:
    """The lines locked, each owed by the deposit's room or payer and owing at least its amount."""
    found = await lines.lock(tx, deposit.project_id, list(amounts), day)
    theirs = [
        line
        for line in found
        if deposit.room_id is not None
        and line.room_id == deposit.room_id
        or deposit.payer_id is not None
        and line.payer_id == deposit.payer_id
    ]
    if len(theirs) != len(amounts):
        raise NotFound("line_not_found", "没有这笔应收，或已经缴清", "no such open charge line of this holder", field="lines")
    for line in theirs:
        if amounts[line.id] > line.due_fen:
            raise Refused("overpaid", "抵的钱比应收多", f"line {line.id} owes {line.due_fen} fen", field="amount")
    return theirs


async def _pay(
    tx: Tx,
    approval: Approval,
    deposit: Deposit,
    amounts: list[tuple[int, Fen]],
    kind: str,
    inspection_id: int | None,
    principal: Principal,
    now: datetime,
) -> None:
    """Settle lines from the deposit: debit the deposit, credit what was owed."""
    day = business_date(now)
    wanted = dict(amounts)
    shares = [lines.share(line, wanted[line.id]) for line in await _lines_of(tx, deposit, wanted, day)]
    source = f"deposit-{kind}:{approval.id}"
    debits = [
        await move(
            tx,
            deposit.id,
            -share.amount_fen,
            kind,
            source,
            at=now,
            by=principal.number,
            line_id=share.line.id,
            inspection_id=inspection_id,
            reason=approval.reason,
        )
        for share in shares
    ]
    await lines.settle(tx, shares, day=day, source=source)
    total = sum(share.amount_fen for share in shares)
    debit = ledger.Posting(debits[0].account, total, debits[0].ref)
    body = {"deposit": deposit.id, "approval": approval.id, "reason": approval.reason, "by": principal.number}
    request = ledger.Request(deposit.project_id, f"deposit_{kind}", source, now, now, day, [debit, *lines.credits(shares)], body)
    await ledger.post(tx, request)


def _number(subject: str) -> int:
    return int(subject.partition(":")[2])


def _fen(value: object) -> Fen:
    assert isinstance(value, int), "amounts in a payload are fen"
    return value
