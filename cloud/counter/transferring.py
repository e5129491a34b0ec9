"""过户 carried out (O-03): what becomes of lines, wallets and deposits, shown before it is asked for and done as one (Y-18).

One approval, one transaction: `estate.transfer` changes who owns and pays, this module moves the money's side of it.
- Lines: receivable is kept by line, so that a line is taken over by naming who owes it now; an entry puts that on record.
- Lines across the day are divided by days; lines paid ahead are refunded first (Q-67), unless both sides settle it themselves.
- A room's wallets follow the choice; an owner's own only when they leave the project with it. A refund is asked for at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import cast

from cloud.access.service import Approval, Principal, ask
from cloud.counter.domain_transferring import AHEAD, ARREARS, MONEY, Lines, sort_lines
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from protocols.errors import NotAllowed, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

TRANSFER = "owner.transfer"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A transfer as somebody asks for it. `ahead`: what becomes of lines paid for days of the new owner.

    way, payee_account  how money goes back to the old owner, where something is refunded
    """

    room_id: int
    new_owner_id: int
    from_day: date
    arrears: str
    wallets: str
    deposits: str
    ahead: str = "refund_first"
    consent: str = ""
    way: str = "transfer"
    payee_account: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a transfer would do as the books stand now. `leaves`: the old owner has no other room in the project."""

    room: estate.RoomRecord
    old_id: int
    old_name: str
    new_name: str
    lines: Lines
    room_wallets: tuple[wallets.Wallet, ...]
    own_wallets: tuple[wallets.Wallet, ...]
    deposits: tuple[wallets.Deposit, ...]
    plates: tuple[str, ...]
    leaves: bool

    @property
    def wallets_fen(self) -> Fen:
        return sum(one.balance_fen for one in (*self.room_wallets, *self.own_wallets))

    @property
    def deposits_fen(self) -> Fen:
        return sum(one.balance_fen for one in self.deposits)


async def effect(tx: Tx, wanted: Wanted, now: datetime) -> Effect:
    """NotFound `room_not_found`, `owner_not_found`; Refused `no_old_owner`, `same_owner`, `bad_choice`, `consent_missing`."""
    _check(wanted)
    room = await estate.room_record(tx, wanted.room_id)
    old = await estate.payer_at(tx, room.id, None, wanted.from_day)
    if old is None:
        raise Refused("no_old_owner", f"{room.code} 没有缴费责任人，直接登记新业主就行", "nobody pays for the room", field="room")
    if old == wanted.new_owner_id:
        raise Refused("same_owner", "新业主现在就是这户的缴费责任人", "the new owner pays already", field="new_owner")
    new_name = await estate.owner_name(tx, wanted.new_owner_id)
    today = business_date(now)
    found = await fees.touched_lines(tx, room.project_id, room.id, old, wanted.from_day, today)
    relations = await estate.rooms_of_owners(tx, [old])
    leaves = not any(one.room_id != room.id and one.on(wanted.from_day) for one in relations)
    held = [one for one in await wallets.wallets_of_room(tx, room.project_id, room.id) if one.balance_fen]
    deposits = [one for one in await wallets.deposits_of_room(tx, room.project_id, room.id) if one.balance_fen]
    return Effect(
        room=room,
        old_id=old,
        old_name=await estate.owner_name(tx, old),
        new_name=new_name,
        lines=sort_lines(found, wanted.from_day, wanted.arrears),
        room_wallets=tuple(one for one in held if one.room_id is not None),
        own_wallets=tuple(one for one in held if one.owner_id == old and leaves),
        deposits=tuple(one for one in deposits if one.payer_id in (None, old)),
        plates=tuple(str(one["plate"]) for one in await estate.vehicles_of(tx, [old], [room.id])),
        leaves=leaves,
    )


def told(wanted: Wanted, found: Effect) -> list[str]:
    """The effects as sentences, before anybody asks (Y-18)."""
    lines = found.lines
    texts = [f"{found.room.code} 从 {wanted.from_day} 起归 {found.new_name}，以后的费用由新业主缴"]
    if lines.left_fen:
        texts.append(f"{found.old_name} 还欠 {yuan(lines.left_fen)} 元，留在旧业主名下")
    if lines.over_fen:
        texts.append(f"{yuan(lines.over_fen)} 元改由 {found.new_name} 缴（{len(lines.over) + len(lines.divided)} 笔）")
    texts += [
        f"{one.line.item.name} {one.line.period_from} 起的一期按天分：{yuan(one.line.amount_fen - one.rest_fen)} 元归旧业主，"
        f"{yuan(one.rest_fen)} 元归新业主"
        for one in lines.divided
    ]
    if lines.ahead:
        way = "不动，由双方自己结算" if wanted.ahead == "between" else "要先退给旧业主，才能过户"
        texts.append(f"已经缴到 {wanted.from_day} 以后的有 {yuan(lines.ahead_fen)} 元，{way}")
    if found.wallets_fen:
        texts.append(f"预存 {yuan(found.wallets_fen)} 元{MONEY[wanted.wallets]}")
    if found.deposits_fen:
        texts.append(f"押金 {yuan(found.deposits_fen)} 元（{len(found.deposits)} 笔）{MONEY[wanted.deposits]}")
    if found.plates:
        texts.append(f"车辆 {'、'.join(found.plates)} 和门禁卡还在旧业主名下，请核对")
    return texts


async def ask_transfer(
    tx: Tx, principal: Principal, wanted: Wanted, *, reason: str, key: str, terminal: str, now: datetime
) -> Approval:
    """Ask for a transfer (kind `owner.transfer`).

    Refused what `effect` refuses, `paid_ahead` with the lines that are paid for the new owner's days, `owes_lines` where a wallet
    cannot be refunded yet (V-05), `no_payee`, those of `ask`; NotAllowed when who asks may not ask for refunds.
    """
    found = await effect(tx, wanted, now)
    _possible(wanted, found)
    if "refund" in (wanted.wallets, wanted.deposits) and "refund.request" not in principal.permissions:
        raise NotAllowed("not_allowed", "您不能申请退款，请把预存和押金留着或转给新业主", "may not ask for refunds")
    texts = told(wanted, found)
    return await ask(
        tx,
        principal,
        kind=TRANSFER,
        project_id=found.room.project_id,
        subject=f"room:{found.room.id}",
        title=f"过户 {found.room.code}：{found.old_name} → {found.new_name}"[:200],
        amount_fen=found.lines.over_fen + found.wallets_fen + found.deposits_fen,
        payload=asdict(wanted) | {"from_day": wanted.from_day.isoformat(), "old": found.old_id},
        before=f"{found.old_name}，欠 {yuan(found.lines.left_fen + found.lines.over_fen)} 元",
        after="；".join(texts),
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=f"owner:{wanted.new_owner_id}",
    )


async def transfer_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: all of it or nothing. Refused what `ask_transfer` refuses by now, `changed_since`."""
    wanted = _wanted(approval)
    found = await effect(tx, wanted, now)
    if found.old_id != approval.payload["old"]:
        raise Refused("changed_since", "申请以后这户换了缴费责任人，请重新申请", "the payer changed since", field="approval")
    _possible(wanted, found)
    asked = estate.Transfer(
        0, found.room.project_id, found.room.id, None, wanted.new_owner_id, wanted.from_day, wanted.arrears, wanted.wallets,
        wanted.deposits, wanted.consent, approval.reason,
    )  # fmt: skip
    by = approval.requester_number
    await estate.transfer(tx, asked, key=f"approval:{approval.id}", today=business_date(now), by=by, at=now)
    source = f"owner-transfer:{approval.id}"
    postings = await fees.hand_over(tx, found.lines.over, wanted.new_owner_id)
    refunds, moved = await _move_wallets(tx, wanted, found, source, now, by)
    deposits = await _move_deposits(tx, wanted, found, source, now, by)
    await fees.divide(
        tx, found.room.project_id, found.lines.divided, wanted.new_owner_id, day=wanted.from_day, source=f"{source}:divided",
        reason="过户", at=now, by=by,
    )  # fmt: skip
    body = {
        "lines": [line.id for line in found.lines.over], "room": found.room.id, "from": found.old_id, "to": wanted.new_owner_id,
        "from_day": wanted.from_day.isoformat(), "approval": approval.id, "by": by, "approved_by": principal.number,
    }  # fmt: skip
    entries = [(source, [*postings, *moved]), *deposits]
    for name, each in entries:
        if each:
            request = ledger.Request(found.room.project_id, "owner_transfer", name, now, now, business_date(now), each, body)
            await ledger.post(tx, request)
    await _ask_refunds(tx, wanted, found, refunds, approval, principal, now)


async def _move_wallets(
    tx: Tx, wanted: Wanted, found: Effect, source: str, now: datetime, by: str
) -> tuple[list[tuple[str, Fen]], list[ledger.Posting]]:
    """(what is to be refunded, postings). The room's money stays with the room when it goes to the new owner."""
    postings: list[ledger.Posting] = []
    refunds: dict[str, Fen] = {}
    moving = found.own_wallets if wanted.wallets == "transfer" else found.room_wallets
    to = wanted.new_owner_id if wanted.wallets == "transfer" else found.old_id
    for one in moving:
        target, each = await wallets.hand_over_wallet(tx, one, to, source=source, at=now, by=by)
        postings += each
        refunds[f"wallet:{target.id}"] = target.balance_fen
    refunds = {f"wallet:{one.id}": one.balance_fen for one in found.own_wallets} | refunds
    return (list(refunds.items()) if wanted.wallets == "refund" else []), postings


async def _move_deposits(
    tx: Tx, wanted: Wanted, found: Effect, source: str, now: datetime, by: str
) -> list[tuple[str, list[ledger.Posting]]]:
    """An entry each: two deposits for the same thing stay two."""
    entries = []
    for one in found.deposits if wanted.deposits == "transfer" else ():
        name = f"{source}:deposit:{one.id}"
        each = await wallets.hand_over_deposit(tx, one.id, wanted.new_owner_id, source=name, at=now, by=by)
        entries.append((name, each))
    return entries


async def _ask_refunds(
    tx: Tx,
    wanted: Wanted,
    found: Effect,
    held: Sequence[tuple[str, Fen]],
    approval: Approval,
    principal: Principal,
    now: datetime,
) -> None:
    """Ask for what goes back to the old owner, in the name of who asked for the transfer and chose it."""
    wanting = [*held, *((f"deposit:{one.id}", one.balance_fen) for one in found.deposits if wanted.deposits == "refund")]
    assert approval.requester is not None
    asker = Principal(
        approval.requester, approval.requester_number, approval.requester_name, (), principal.scope, frozenset({"refund.request"})
    )
    for subject, fen in wanting:
        new = wallets.NewRefund(
            subject, fen, cast(wallets.Way, wanted.way), found.old_name, wanted.payee_account, f"过户 {found.room.code}"
        )
        key = f"transfer-{approval.id}-{subject}"
        await wallets.ask_refund(tx, asker, new, key=key, terminal=approval.terminal, now=now)


def _possible(wanted: Wanted, found: Effect) -> None:
    lines = found.lines
    if lines.ahead and wanted.ahead != "between":
        named = "；".join(
            f"{one.line.item.name} {one.line.period_from} 至 {one.line.period_to} 多缴 {yuan(one.rest_fen)} 元"
            for one in lines.ahead[:6]
        )
        zh = f"这些费用缴到了 {wanted.from_day} 以后：{named}。先退给旧业主，或选买卖双方自己结算"
        raise Refused("paid_ahead", zh, f"{len(lines.ahead)} lines are paid ahead", field="ahead", fen=lines.ahead_fen)
    if wanted.wallets == "refund" and found.wallets_fen and lines.left_fen > 0:
        zh = f"{found.old_name} 还欠 {yuan(lines.left_fen)} 元，缴清以后才能退预存"
        raise Refused("owes_lines", zh, f"{lines.left_fen} fen are still owed", field="wallets", owed_fen=lines.left_fen)


def _check(wanted: Wanted) -> None:
    if wanted.arrears not in ARREARS or {wanted.wallets, wanted.deposits} - set(MONEY) or wanted.ahead not in AHEAD:
        raise Refused("bad_choice", "欠费、预存、押金和多缴的怎么处理，都要选", "a choice is missing", field="arrears")
    if (wanted.arrears == "taken_over" or wanted.ahead == "between") and not wanted.consent.strip():
        raise Refused("consent_missing", "要写明新业主同意书的编号", "what the new owner signed is missing", field="consent")
    if "refund" in (wanted.wallets, wanted.deposits):
        if wanted.way not in ("cash", "transfer"):
            raise Refused("bad_way", "退款方式选现金或转账", f"no way {wanted.way}", field="way")
        if wanted.way == "transfer" and not wanted.payee_account.strip():
            raise Refused("no_payee", "转账要填旧业主的收款账号", "a transfer needs an account", field="payee_account")


def _wanted(approval: Approval) -> Wanted:
    facts = {name: approval.payload[name] for name in Wanted.__dataclass_fields__}
    return Wanted(**{**facts, "from_day": date.fromisoformat(str(facts["from_day"]))})  # type: ignore[arg-type]  # as asked
