"""Refund of a receipt's lines after the shift's close (C-11, C-12): asked for, approved, owed, paid out by a third person.

Two reasons, two ways to book. `mistake`: the money was not for this line; the line is owed again. `not_started`: the charge falls
away for periods that have not begun (Q-67); a discount for paying ahead is taken back for what was used, unless kept (Q-46).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from cloud.access.service import Approval, Principal, ask
from cloud.counter import refund_limits, rounding, store, store_refunding, store_shifts
from cloud.counter.domain import Receipt, ReceiptLine
from cloud.counter.printing import receipt
from cloud.counter.shifts import require_cash
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from protocols.errors import Conflict, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

REFUND, ORIGINAL = "refund", "refund.original"
WHY = {"mistake": "收错了，费用还要缴", "not_started": "还没开始的期间不再收"}
DISCOUNT = {"reprice": "用过的期间按原价重算", "keep": "优惠保留"}
ROUTES = ("pos", "wechat", "alipay", "simulated")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A refund as somebody asks for it. `lines`: numbers on the receipt, from 1; `discount`: Q-46, for `not_started`."""

    receipt_id: int
    lines: tuple[int, ...]
    why: str
    way: str
    payee_name: str
    payee_account: str = ""
    discount: str = "reprice"


@dataclass(frozen=True, slots=True)
class Quote:
    """What goes back: (number, line, fen), less discounts of used lines (charge line -> fen) and what was rounded off (C-18)."""

    receipt: Receipt
    parts: tuple[tuple[int, ReceiptLine, Fen], ...]
    less: Mapping[int, Fen]
    rounded_fen: Fen = 0

    @property
    def total_fen(self) -> Fen:
        return sum(fen for _, _, fen in self.parts) - sum(self.less.values()) - self.rounded_fen

    @property
    def charge_lines(self) -> dict[int, Fen]:
        return {line.charge_line: fen for _, line, fen in self.parts if line.charge_line is not None}


def voucher_no(refund_id: int) -> str:
    """As printed: 'TK000012'."""
    return f"TK{refund_id:06d}"


async def quote(tx: Tx, wanted: Wanted, now: datetime) -> Quote:
    """What would go back as the books stand now.

    NotFound `receipt_not_found`; Refused `use_void` while the shift is open, `not_refundable`, `no_lines`, `started`,
    `part_paid`, `line_adjusted`, `nothing_back`, `bad_why`; Conflict `already_reversed`, `already_refunded`.
    """
    if wanted.why not in WHY or wanted.discount not in DISCOUNT:
        raise Refused("bad_why", "选一下为什么退", f"no reason {wanted.why}", field="why")
    found = await receipt(tx, wanted.receipt_id)
    await _standing(tx, found)
    numbers = sorted(set(wanted.lines))
    if not numbers or numbers[0] < 1 or numbers[-1] > len(found.draft.lines):
        raise Refused("no_lines", "勾选要退的费用", "no such line on the receipt", field="lines")
    if set(numbers) & await store_refunding.refunded(tx, found.id):
        raise Conflict("already_refunded", "勾选的费用里有已经退过的", "a line was refunded before", field="lines")
    chosen = [(number, found.draft.lines[number - 1]) for number in numbers]
    for _, line in chosen:
        if line.charge_line is None or line.amount_fen <= 0:
            zh = f"{line.item_name} 不能从收据退；预存和押金在各自的页面退"
            raise Refused("not_refundable", zh, f"{line.item} pays no charge line", field="lines")
    rounded = rounding.taken_back(found.draft.lines, numbers)
    if wanted.why == "mistake":
        return Quote(found, tuple((number, line, line.amount_fen) for number, line in chosen), {}, rounded)
    made = await _unstarted(tx, found, chosen, wanted.discount, business_date(now))
    return replace(made, rounded_fen=rounded)


async def _unstarted(tx: Tx, found: Receipt, chosen: Sequence[tuple[int, ReceiptLine]], discount: str, today: date) -> Quote:
    project_id = found.draft.project_id
    ids = [line.charge_line for line in found.draft.lines if line.charge_line is not None]
    lines = {line.id: line for line in await fees.lock_lines(tx, project_id, ids, today)}
    changed = await fees.adjusted(tx, ids)
    for _, one in chosen:
        line = lines[one.charge_line or 0]
        if line.period_from <= today:
            zh = f"{line.item.name} {line.period_from} 起的一期已经开始，只退没开始的整期"
            raise Refused("started", zh, f"line {line.id} has begun", field="lines")
        if line.id in changed:
            raise Refused(
                "line_adjusted", f"{line.item.name} {line.object} 有调整单，请先处理调整", "it is adjusted", field="lines"
            )
        if line.status != "paid" or one.principal_fen != line.amount_fen - line.discount_fen:
            zh = f"{line.item.name} {line.object} 不是由这张收据缴清的，不能整期退"
            raise Refused("part_paid", zh, f"line {line.id} was not paid by this receipt alone", field="lines")
    parts = tuple((number, one, one.principal_fen) for number, one in chosen)
    less: dict[int, Fen] = {}
    if discount == "reprice":
        given = await fees.discounts_of(tx, project_id, found.source)
        less = {line: fen for line, fen in given.items() if lines[line].period_from <= today and line not in changed}
    made = Quote(found, parts, less)
    if made.total_fen <= 0:
        zh = f"用过的期间按原价重算要补 {yuan(sum(less.values()))} 元，没有可退的"
        raise Refused("nothing_back", zh, "the used periods at list price cost as much", field="lines")
    return made


async def ask_receipt_refund(
    tx: Tx, principal: Principal, wanted: Wanted, *, reason: str, key: str, terminal: str, now: datetime
) -> Approval:
    """Ask for it: kind `refund`, by the original route `refund.original`, whose tiers differ.

    Refused what `quote` refuses, `bad_way`, `no_payee`, those of `ask`.
    """
    made = await quote(tx, wanted, now)
    found, payer = made.receipt, made.receipt.payer or ""
    _route(found, wanted, made.total_fen)
    payee = wanted.payee_name.strip() or payer
    if not payee or wanted.way == "transfer" and not wanted.payee_account.strip():
        field = "payee_account" if payee else "payee_name"
        raise Refused("no_payee", "收款人姓名要填；转账还要填账号", "a payee is missing", field=field)
    names = "、".join(dict.fromkeys(line.item_name for _, line, _ in made.parts))
    owner = await store.payer_subject(tx, found.entry_id)
    many = wanted.way == "cash" and await _many(tx, found, owner, principal, made.total_fen, now)
    return await ask(
        tx,
        principal,
        kind=ORIGINAL if wanted.way == "original" else REFUND,
        project_id=found.draft.project_id,
        subject=f"receipt:{found.id}",
        title=f"退收据 № {found.no} {names}"
        + ("" if payee == payer else "（收款人与缴款人不同）")
        + ("（30 天内现金退款累计超限，由总部批）" if many else ""),
        amount_fen=made.total_fen,
        payload={
            "lines": list(wanted.lines), "why": wanted.why, "discount": wanted.discount, "way": wanted.way, "payee_name": payee,
            "payee_account": wanted.payee_account.strip(),
        },
        before=f"{found.draft.object} 收 {yuan(found.draft.total_fen)}",
        after=f"{wallets.WAYS[wanted.way]}退 {yuan(made.total_fen)} 给 {payee}；{WHY[wanted.why]}",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=owner,
    )  # fmt: skip


async def _many(tx: Tx, found: Receipt, owner: str | None, principal: Principal, fen: Fen, now: datetime) -> bool:
    """Whether cash refunds of 30 days make this one headquarters'."""
    company = (await estate.get_project(tx, found.draft.project_id)).company_id
    who = principal.user_id or 0
    before = await refund_limits.cumulated(tx, f"receipt:{found.id}", owner, who, company, now)
    return await refund_limits.over(tx, fen, before, company)


async def refund_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler of both kinds: receipts here, money held by `wallets`; before either, `refund_limits`.

    Refused `needs_hq` when the payee is not the payer and nobody of headquarters decides (C-12); what `quote` refuses by now.
    """
    await refund_limits.check(tx, approval, principal, now)
    what, _, number = approval.subject.partition(":")
    if what != "receipt":
        await wallets.refund_approved(tx, approval, principal, now)
        return
    await store.lock_receipt(tx, int(number))
    facts = approval.payload
    lines = facts["lines"]
    assert isinstance(lines, list), "written by ask_receipt_refund"
    wanted = Wanted(
        int(number), tuple(lines), str(facts["why"]), str(facts["way"]), str(facts["payee_name"]), str(facts["payee_account"]),
        str(facts["discount"]),
    )  # fmt: skip
    made = await quote(tx, wanted, now)
    if made.total_fen != approval.amount_fen:
        raise Refused("amount_changed", "可退的金额在申请以后变了，请重新申请", "the amount changed since", field="amount")
    payer = made.receipt.payer or ""
    if wanted.payee_name != payer and "hq_finance" not in principal.roles:
        raise Refused("needs_hq", "收款人与缴款人不同，要由总部财务批", "the payee is not the payer: headquarters decides")
    await _book(tx, made, wanted, approval, principal, payer, now)


async def _book(tx: Tx, made: Quote, wanted: Wanted, approval: Approval, principal: Principal, payer: str, now: datetime) -> None:
    found, source, day = made.receipt, f"refund:{approval.id}", business_date(now)
    project_id, by = found.draft.project_id, principal.number
    refund_id, owed = await wallets.owe(
        tx, approval, principal, amount_fen=made.total_fen, payer_name=payer, source=source, now=now
    )
    await store_refunding.add(tx, project_id, refund_id, found.id, [(number, fen) for number, _, fen in made.parts], now)
    if wanted.why == "mistake":
        postings = await fees.take_back(tx, project_id, found.source, list(made.charge_lines), day=day, by=source)
    else:
        amounts = {line: -fen for line, fen in made.charge_lines.items()} | dict(made.less)
        postings = await fees.fall_away(
            tx,
            project_id,
            amounts,
            f"退费 № {found.no}：{WHY[wanted.why]}，{DISCOUNT[wanted.discount]}",
            source=source,
            at=now,
            by=by,
        )
    if made.rounded_fen:
        postings = [*postings, rounding.posting(-made.rounded_fen, f"refund:{refund_id}")]
    body = {"receipt": found.no, "approval": approval.id, "refund": refund_id, "why": wanted.why, "by": by}
    request = ledger.Request(project_id, "refund_due", source, now, now, day, [*postings, owed], body)
    await ledger.post(tx, request)


async def pay_cash(tx: Tx, principal: Principal, refund_id: int, now: datetime) -> wallets.Refund:
    """Pay an approved refund out of one's own open drawer. The same again gives the same refund.

    Refused `no_shift` without an open shift in the refund's project, `drawer_short`, and what `wallets.pay_out` refuses.
    """
    found = await wallets.get_refund(tx, refund_id)
    held = await store_shifts.held_shift(tx, principal.user_id) if principal.user_id is not None else None
    shift = await store.shift(tx, held) if held is not None else None
    if shift is None or shift.project_id != found.project_id:
        raise Refused("no_shift", "先在这个项目开班，再从抽屉付现金", "no open shift of this person there", field="shift")
    if found.state != "paid":
        await require_cash(tx, shift, found.amount_fen, "请现金够的窗口来付，或改成转账重新申请")
    return await wallets.pay_out(
        tx,
        principal,
        refund_id,
        account=ledger.Account.CASH_DRAWER,
        ref=f"shift:{shift.id}",
        reference=voucher_no(refund_id),
        now=now,
    )


async def pay_original(tx: Tx, principal: Principal, refund_id: int, reference: str, now: datetime) -> wallets.Refund:
    """The provider or the acquirer sent it back, under a number of theirs: it leaves what they owe us for the first payment."""
    found = await wallets.get_refund(tx, refund_id)
    what, _, number = found.subject.partition(":")
    if what != "receipt" or found.way != "original":
        raise Refused(
            "wrong_way", f"这笔批的是{wallets.WAYS[found.way]}退款", f"refund {refund_id} goes by {found.way}", field="way"
        )
    paid = _by_route(await receipt(tx, int(number)))
    assert paid is not None, "checked when it was asked for"
    return await wallets.pay_out(
        tx,
        principal,
        refund_id,
        account=ledger.Account.PROVIDER_CLEARING,
        ref=f"{paid[0]}:{paid[1]}",
        reference=reference,
        now=now,
    )


def _route(found: Receipt, wanted: Wanted, fen: Fen) -> None:
    if wanted.way not in wallets.WAYS:
        raise Refused("bad_way", "选退款方式", f"no way {wanted.way}", field="way")
    paid = _by_route(found)
    if wanted.way == "original" and (paid is None or paid[2] < fen):
        zh = "这张收据不是刷卡、微信或支付宝付的，或者那一笔不够退，请选转账或现金"
        raise Refused("bad_way", zh, "there is no such payment to send back", field="way")


def _by_route(found: Receipt) -> tuple[str, str, Fen] | None:
    """(method, reference, fen) of the one payment through an acquirer or provider."""
    paid = [one for one in found.draft.tenders if one.method in ROUTES]
    return (paid[0].method, paid[0].reference or "", paid[0].amount_fen) if len(paid) == 1 else None


async def _standing(tx: Tx, found: Receipt) -> None:
    if found.reversed_by is not None:
        raise Conflict(
            "already_reversed", f"这张收据已经红冲，红冲收据 № {found.reversed_by.no}", "it was reversed", field="receipt"
        )
    if found.draft.kind != "counter" or found.draft.reverses is not None:
        raise Refused("not_refundable", "只有窗口开的收据能这样退", "not a counter receipt that stands", field="receipt")
    shift = await store.shift(tx, found.draft.shift_id) if found.draft.shift_id is not None else None
    if shift is not None and shift.closed_at is None:
        raise Refused("use_void", "这个班还没交，请作废收据，不用退款", "the shift is open: void the receipt", field="receipt")
    if found.draft.held_fen:
        raise Refused("paid_from_wallet", "这张收据用预存付过，不能退成现金", "a wallet paid a part of it", field="receipt")
