"""Cash in transit goes on from one person to another, who confirms it; then it is theirs to bank (C-32, C-37)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from cloud.access.service import Principal, audit
from cloud.counter import handover, store_banking, store_passing
from cloud.counter.store_passing import Pass
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from protocols.money import Fen


async def offer(tx: Tx, project_id: int, days: Sequence[date], who: Principal, *, key: str, at: datetime) -> Pass:
    """Offer the cash of days that is in one's hands and on no slip yet; the same key gives the same offer.

    NotFound `project_not_found`; Refused `no_days`, `nothing_to_pass`; Conflict `key_used`.
    """
    await estate.get_project(tx, project_id)
    wanted = sorted(set(days))
    if not wanted:
        raise Refused("no_days", "选要转交的日子", "no day is chosen", field="days")
    known = await store_passing.by_key(tx, project_id, key)
    if known is not None:
        return _same(known, wanted, who)
    found = await store_banking.to_bank(tx, project_id, who.user_id, wanted)
    amount = sum(row["amount_fen"] for row in found)
    if not amount:
        raise Refused(
            "nothing_to_pass", "这几天没有你经手、还没缴存的现金", "nothing of these days is in your hands", field="days"
        )
    ids = [row["id"] for row in found]
    made = await store_passing.add(tx, project_id, ids, wanted, amount, (who.user_id or 0, who.number, who.name), at, key)
    if made is None:
        raise Conflict("key_used", "这个请求号用过了，请刷新再试", "the key was used meanwhile", field="key")
    await tx.notify("drawers", {"project_id": project_id, "pass": made})
    return await pass_of(tx, made)


def _same(known: Pass, wanted: Sequence[date], who: Principal) -> Pass:
    if (list(known.days), known.from_id) != (list(wanted), who.user_id):
        raise Conflict("key_used", "这个请求号已经用于另一次转交", "the key belongs to another pass", field="key")
    return known


async def confirm(tx: Tx, pass_id: int, amount_fen: Fen, who: Principal, *, at: datetime) -> Pass:
    """The receiver confirms the amount with an own log-in: the cash is in transit in their name, as old as it was.

    NotFound `pass_not_found`; Refused `own_drawer` (whoever offers it, held or counted it), `amount_differs`; Conflict
    `already_decided`.
    """
    found = await _offered(tx, pass_id, who)
    if found.state == "confirmed" and found.receiver_id == who.user_id:
        return found
    _require_waiting(found)
    if amount_fen != found.amount_fen:
        zh = "和对方交的金额不一样。当面再点一遍；还不一样就拒绝"
        raise Refused("amount_differs", zh, "the amount is not the one offered", field="amount")
    postings = [
        ledger.Posting(ledger.Account.CASH_IN_TRANSIT, found.amount_fen, handover.person_ref(who.number)),
        ledger.Posting(ledger.Account.CASH_IN_TRANSIT, -found.amount_fen, handover.person_ref(found.from_number)),
    ]
    facts = {"pass": pass_id, "from": found.from_number, "to": who.number}
    await store_passing.decide(tx, found, "confirmed", (who.user_id or 0, who.number, who.name), at)
    made = await handover.post(tx, found.project_id, "cash_pass", f"pass:{pass_id}", postings, at, **facts)
    await store_passing.posted(tx, pass_id, made)
    await tx.notify("drawers", {"project_id": found.project_id, "pass": pass_id})
    return await pass_of(tx, pass_id)


async def refuse(tx: Tx, pass_id: int, reason: str, who: Principal, *, at: datetime) -> Pass:
    """The receiver does not confirm: the cash stays with whoever offered it, and HQ hears of it (C-32).

    NotFound; Refused `no_reason`, `own_drawer`; Conflict `already_decided`.
    """
    found = await _offered(tx, pass_id, who)
    if found.state == "refused" and found.receiver_id == who.user_id:
        return found
    _require_waiting(found)
    reason = reason.strip()
    if not 2 <= len(reason) <= 200:
        raise Refused("no_reason", "写一句为什么不接", "a refusal needs a reason", field="reason")
    await store_passing.decide(tx, found, "refused", (who.user_id or 0, who.number, who.name), at, reason)
    facts = {"project_id": found.project_id, "kind": "handover_refused", "subject": f"pass:{pass_id}"}
    await tx.notify("alarm", facts | {"amount_fen": found.amount_fen, "holder": found.from_number})
    told = {"holder": found.from_number, "amount_fen": found.amount_fen}
    company = (await estate.get_project(tx, found.project_id)).company_id
    await audit(
        tx, who, "pass.refuse", f"pass:{pass_id}", None, told, reason, at=at, company_id=company, project_id=found.project_id
    )
    return await pass_of(tx, pass_id)


async def withdraw(tx: Tx, pass_id: int, who: Principal, *, at: datetime) -> Pass:
    """Whoever offered it keeps it. NotFound; NotAllowed `not_your_pass`; Conflict `already_decided`."""
    found = await pass_of(tx, pass_id, lock=True)
    if found.from_id != who.user_id:
        raise NotAllowed("not_your_pass", "由转交的人收回", "whoever offered it withdraws it")
    if found.state != "withdrawn":
        _require_waiting(found)
        await store_passing.decide(tx, found, "withdrawn", None, at)
    return await pass_of(tx, pass_id)


async def pass_of(tx: Tx, pass_id: int, *, lock: bool = False) -> Pass:
    """NotFound `pass_not_found`, also outside the scope."""
    found = await store_passing.one(tx, pass_id, lock=lock) if 0 < pass_id < 2**31 else None
    if found is None:
        raise NotFound("pass_not_found", "没有这次转交", f"no pass {pass_id}", field="pass")
    return found


async def _offered(tx: Tx, pass_id: int, who: Principal) -> Pass:
    found = await pass_of(tx, pass_id, lock=True)
    if who.user_id == found.from_id or await store_passing.held_by(tx, found.handovers, who.user_id or 0, who.number):
        raise Refused("own_drawer", "自己交的、自己抽屉里来的钱，要由另一个人接", "whoever held or offers it does not receive it")
    return found


def _require_waiting(found: Pass) -> None:
    if found.state != "waiting":
        raise Conflict("already_decided", "这次转交已经处理过了", f"pass {found.id} is {found.state}")
