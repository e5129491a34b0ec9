"""Refunds of wallets and deposits: asked for, approved by a second person, paid out by a third (V-05, C-12, G-06).

Approval takes the money off the wallet or deposit at once and owes it to the payee (`refund_payable`), so that nobody spends it
while it waits; paying it out clears that debt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloud.access import service as access
from cloud.access.service import Approval, Principal, ask
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import deposits, moving, store_refunds
from cloud.wallets.accounts import WAYS, Refund, Way
from cloud.wallets.domain import exceeds
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

THREE_PEOPLE_FROM: Fen = 20_000
"""Above this request, approval and paying out are three people's (5.1, C-12)."""


@dataclass(frozen=True, slots=True)
class NewRefund:
    """A refund to be asked for. `subject`: 'wallet:5' or 'deposit:9'; a transfer names the payee's account."""

    subject: str
    amount_fen: Fen
    way: Way
    payee_name: str
    payee_account: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Held:
    """What is refunded: where it lies, of whom, how much of it there is."""

    project_id: int
    title: str
    payer_id: int | None
    payer_name: str
    balance_fen: Fen


async def ask_refund(tx: Tx, principal: Principal, new: NewRefund, *, key: str, terminal: str, now: datetime) -> Approval:
    """Ask for a refund (kind `refund`). A wallet goes back after everything is paid, on moving out (V-05).

    Refused `wallet_short`, `DEDUCTION_EXCEEDS_DEPOSIT`, `owes_lines`, `no_payee`, `bad_way`, `bad_amount`; NotFound.
    """
    if new.way not in ("cash", "transfer"):
        raise Refused("bad_way", "退款方式选现金或转账", f"no way {new.way} for money held", field="way")
    if not new.payee_name.strip() or new.way == "transfer" and not new.payee_account.strip():
        field = "payee_account" if new.payee_name.strip() else "payee_name"
        raise Refused(
            "no_payee", "收款人姓名要填；转账还要填账号", "a payee needs a name, and an account for a transfer", field=field
        )
    held = await _check(tx, new.subject, new.amount_fen)
    payee = new.payee_name.strip()
    return await ask(
        tx,
        principal,
        kind="refund",
        project_id=held.project_id,
        subject=new.subject,
        title=f"退{held.title}" + ("" if payee == held.payer_name else "（收款人与缴款人不同）"),
        amount_fen=new.amount_fen,
        payload={"way": new.way, "payee_name": payee, "payee_account": new.payee_account.strip()},
        before=f"余额 {yuan(held.balance_fen)}",
        after=f"余额 {yuan(held.balance_fen - new.amount_fen)}，{WAYS[new.way]}退给 {payee}",
        reason=new.reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=None if held.payer_id is None else f"owner:{held.payer_id}",
    )


async def _check(tx: Tx, subject: str, amount_fen: Fen) -> _Held:
    what, _, number = subject.partition(":")
    if amount_fen <= 0:
        raise Refused("bad_amount", "金额要大于 0", "the amount must be above 0", field="amount")
    if what == "deposit":
        deposit = await deposits.get(tx, int(number))
        if amount_fen > deposit.balance_fen:
            raise exceeds(amount_fen, deposit.balance_fen)
        title, payer_id, held = f"押金 {deposit.no} {deposit.object}", deposit.payer_id, deposit.balance_fen
        project_id, room_id = deposit.project_id, deposit.room_id
    elif what == "wallet":
        wallet = await moving.get(tx, int(number))
        title, payer_id, held = wallet.name, wallet.owner_id, wallet.balance_fen
        project_id, room_id = wallet.project_id, wallet.room_id
        if amount_fen > held:
            raise Refused(
                "wallet_short", f"预存只有 {yuan(held)} 元", f"the wallet holds {held} fen", field="amount", left_fen=held
            )
        owed = await store_refunds.owed(tx, project_id, room_id, wallet.owner_id)
        if owed > 0:
            zh = f"还有 {yuan(owed)} 元没缴清，结清以后再退预存"
            raise Refused("owes_lines", zh, f"{owed} fen are still owed", field="amount", owed_fen=owed)
    else:
        raise NotFound("nothing_to_refund", "没有可退的款", f"no subject {subject}", field="subject")
    if room_id is not None:
        room = await estate.get_room(tx, project_id, room_id)
        payer_id = payer_id or room.payer_id
        title = title if what == "deposit" else f"{title} {room.code}"
    name = await estate.owner_name(tx, payer_id) if payer_id is not None else ""
    return _Held(project_id, title, payer_id, name, held)


async def refund_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The handler of the kind `refund` for wallets and deposits: the money is owed to the payee now.

    Refused `needs_hq` when the payee is not the payer and nobody of headquarters decides (C-12), and what `ask_refund` refuses.
    """
    held = await _check(tx, approval.subject, approval.amount_fen)
    payee = str(approval.payload["payee_name"])
    if payee != held.payer_name and "hq_finance" not in principal.roles:
        raise Refused("needs_hq", "收款人与缴款人不同，要由总部财务批", "the payee is not the payer: headquarters decides")
    source = f"refund:{approval.id}"
    what, _, number = approval.subject.partition(":")
    if what == "wallet":
        debit = await moving.debit(
            tx, int(number), approval.amount_fen, kind="refund", source=source, at=now, by=principal.number
        )
    else:
        debit = await deposits.move(
            tx, int(number), -approval.amount_fen, "refund", source, at=now, by=principal.number, reason=approval.reason
        )
    assert principal.user_id is not None, "somebody decided"
    refund_id = await store_refunds.add(
        tx,
        held.project_id,
        {
            "subject": approval.subject, "approval_id": approval.id, "amount_fen": approval.amount_fen,
            "way": str(approval.payload["way"]), "payee_name": payee, "payee_account": str(approval.payload["payee_account"]),
            "payer_name": held.payer_name, "reason": approval.reason, "requested_by": approval.requester,
            "approved_by": principal.user_id, "approved_at": now, "source": source,
        },
    )  # fmt: skip
    owed = ledger.Posting(ledger.Account.REFUND_PAYABLE, -approval.amount_fen, f"refund:{refund_id}")
    body = {"subject": approval.subject, "approval": approval.id, "refund": refund_id, "by": principal.number}
    await ledger.post(
        tx, ledger.Request(held.project_id, "refund_due", source, now, now, business_date(now), [debit, owed], body)
    )


async def get_refund(tx: Tx, refund_id: int) -> Refund:
    """NotFound `refund_not_found`, also outside the scope."""
    found = await store_refunds.by_id(tx, refund_id) if 0 < refund_id < 2**62 else None
    if found is None:
        raise _not_found(refund_id)
    return found


async def pay_out(
    tx: Tx, principal: Principal, refund_id: int, *, account: str, ref: str, reference: str, now: datetime
) -> Refund:
    """The money leaves: from `account` ('cash_drawer' and the shift's ref, or 'bank'), with what proves it as `reference`.

    The same again gives the same refund. NotFound `refund_not_found`; Refused `wrong_way`, `no_reference`, `same_person` (never
    who approved or lent the approval, above the limit not who asked either); Conflict `already_paid`.
    """
    found = await store_refunds.by_id(tx, refund_id, lock=True) if 0 < refund_id < 2**62 else None
    if found is None:
        raise _not_found(refund_id)
    if found.state == "paid":
        if (found.paid_by, found.paid_reference) == (principal.user_id, reference):
            return found
        raise Conflict("already_paid", f"{found.paid_by_name}已经付过这笔退款", f"refund {refund_id} is paid", field="reference")
    if (found.way == "cash") != (account == ledger.Account.CASH_DRAWER):
        raise Refused("wrong_way", f"这笔批的是{WAYS[found.way]}退款", f"refund {refund_id} goes by {found.way}", field="way")
    if len(reference.strip()) < 2:
        raise Refused("no_reference", "填银行流水号或收据凭证号", "what proves the payment is missing", field="reference")
    decided = (await access.get(tx, found.approval_id)).decisions
    others = {one.by_user for one in decided} | {one.on_behalf_of for one in decided}
    others |= {found.requested_by} if found.amount_fen > THREE_PEOPLE_FROM else set()
    if principal.user_id is None or principal.user_id in others:
        raise Refused("same_person", "申请、审批、付款要由三个人分别做", "three different people request, approve and pay")
    source = f"refund-paid:{refund_id}"
    await store_refunds.paid(tx, refund_id, (principal.user_id, principal.name), now, source, reference)
    postings = [
        ledger.Posting(ledger.Account.REFUND_PAYABLE, found.amount_fen, found.ref),
        ledger.Posting(account, -found.amount_fen, ref),
    ]
    body = {"refund": refund_id, "reference": reference, "by": principal.number}
    await ledger.post(tx, ledger.Request(found.project_id, "refund_paid", source, now, now, business_date(now), postings, body))
    return await get_refund(tx, refund_id)


def _not_found(refund_id: int) -> NotFound:
    return NotFound("refund_not_found", "没有这笔退款", f"no refund {refund_id}", field="refund")
