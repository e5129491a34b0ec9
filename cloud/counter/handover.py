"""What a count showed is explained, and the cash goes to a second person (C-31, C-32): each step an entry of the ledger."""

from __future__ import annotations

from datetime import datetime

from cloud.access import service as access
from cloud.access.service import Approval, Principal, audit
from cloud.counter import store_shifts
from cloud.counter.domain_cash import REASON_LIMIT, shared_out
from cloud.counter.shifts import count_of
from cloud.counter.store_shifts import Count, Handover
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotAllowed, NotFound, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

KIND = "shift.variance"
FLOAT_LIMIT = "counter.float_limit"


def person_ref(number: str) -> str:
    """Whose cash in transit it is: by work number."""
    return f"person:{number}"


async def post(
    tx: Tx, project_id: int, kind: str, source: str, postings: list[ledger.Posting], at: datetime, **facts: object
) -> int:
    """One movement of cash. When today is closed already it belongs to the next day (C-34)."""
    request = ledger.Request(project_id, kind, source, at, at, business_date(at), postings, facts, late=True)
    return (await ledger.post(tx, request)).id


async def explain(tx: Tx, count_id: int, reason: str, who: Principal, *, key: str, at: datetime) -> Count:
    """Say why a count differs: up to 50 yuan a person and day it is posted at once, above it waits for an approval (C-31).

    The same again changes nothing. NotFound; Refused `no_variance`, `no_reason`; NotAllowed
    `not_your_count`; Conflict `superseded`, `approval_waiting`.
    """
    found = await count_of(tx, count_id)
    await store_shifts.lock_drawer(tx, found.project_id, found.drawer)
    found = await _standing(tx, count_id)
    if found.variance_fen == 0:
        raise Refused("no_variance", "账实相符，不用写原因", "nothing differs")
    if who.user_id not in (found.holder_id, found.by_id) and who.number != found.holder:
        raise NotAllowed("not_your_count", "由当班的人或盘点的人写原因", "the cashier or whoever counted explains")
    if found.explained == "posted":
        return found
    reason = reason.strip()
    if not 2 <= len(reason) <= 200:
        raise Refused("no_reason", "写一句为什么有差异", "a difference needs a reason", field="reason")
    await store_shifts.explain(tx, found, reason, (who.user_id or 0, who.number, who.name), at)
    await store_shifts.lock_drawer(tx, found.project_id, f"reasons:{found.holder}")
    if abs(found.variance_fen) + await store_shifts.reasons_of(tx, found) <= REASON_LIMIT:
        await _post_variance(tx, found, reason, who, at)
    else:
        word = "长款" if found.variance_fen > 0 else "短款"
        asked = await access.ask(
            tx, who, kind=KIND, project_id=found.project_id, subject=f"count:{found.id}",
            title=f"{found.holder_name} {found.place} 交班{word} {yuan(abs(found.variance_fen))} 元",
            amount_fen=abs(found.variance_fen), payload={"count": found.id}, before=f"应有 {yuan(found.expected_fen)}",
            after=f"盘点 {yuan(found.counted_fen)}", reason=reason, key=key, terminal=found.place, now=at,
            beneficiary=f"person:{found.holder}",
        )  # fmt: skip
        await store_shifts.explained(tx, found.id, approval_id=asked.id)
    return await count_of(tx, count_id)


async def carry_out(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """An approved difference of a count goes to over/short. Conflict `superseded` when it was counted again meanwhile."""
    found = await _standing(tx, int(str(approval.payload["count"])))
    if {found.by_id, found.holder_id} & deciders(approval, principal):
        raise Refused("own_request", "自己的班、自己盘的差异，要别人批", "whoever held or counted the drawer does not approve it")
    if found.explained != "posted":
        await _post_variance(tx, found, approval.reason, principal, now)


def deciders(approval: Approval, principal: Principal) -> set[int | None]:
    """Everybody with whose authority an approval was decided, lent ones too: none of them had the cash (Y-02)."""
    users = {one.by_user for one in approval.decisions} | {one.on_behalf_of for one in approval.decisions if one.on_behalf_of}
    return {principal.user_id, *users}


async def _post_variance(tx: Tx, found: Count, reason: str, who: Principal, at: datetime) -> None:
    postings = [
        ledger.Posting(ledger.Account.CASH_DRAWER, found.variance_fen, found.drawer),
        ledger.Posting(ledger.Account.OVER_SHORT, -found.variance_fen, f"person:{found.holder}"),
    ]
    made = await post(
        tx,
        found.project_id,
        "cash_variance",
        f"count:{found.id}:variance",
        postings,
        at,
        count=found.id,
        reason=reason,
        by=who.number,
    )
    await store_shifts.explained(tx, found.id, entry_id=made)
    if found.shift_id is not None:
        await store_shifts.settle(tx, found.shift_id, at)


async def offer(tx: Tx, count_id: int, keep_float_fen: Fen, who: Principal, *, at: datetime) -> Count:
    """Offer what was counted, less the float that stays, to whoever receives it. The same again changes nothing.

    NotFound; Refused `not_explained`, `frozen`, `bad_float`; NotAllowed `not_your_count`; Conflict `superseded`,
    `already_offered`.
    """
    found = await count_of(tx, count_id)
    await store_shifts.lock_drawer(tx, found.project_id, found.drawer)
    found = await _standing(tx, count_id)
    if who.user_id not in (found.holder_id, found.by_id) and who.number != found.holder:
        raise NotAllowed("not_your_count", "由当班的人或盘点的人交接", "the cashier or whoever counted hands over")
    if found.handed in ("waiting", "confirmed"):
        if found.kept_fen != keep_float_fen:
            raise Conflict("already_offered", "已经在交接了，金额不能再改", "it is being handed over with another float")
        return found
    if found.handed == "refused":
        raise Refused("frozen", "对方没有确认，抽屉已冻结，要由别人复点", "refused: somebody else counts it first")
    if found.explained == "":
        raise Refused("not_explained", "账实不符，先写原因再交接", "the difference needs a reason first", field="reason")
    amount = shared_out(found.counted_fen, keep_float_fen)
    await _float_allowed(tx, found, keep_float_fen)
    if await store_shifts.offer(tx, found, amount, keep_float_fen, (who.user_id or 0, who.number, who.name), at) is None:
        raise Conflict("already_offered", "已经在交接了", "it is being handed over")
    await tx.notify("drawers", {"project_id": found.project_id, "drawer": found.drawer})
    return await count_of(tx, count_id)


async def _float_allowed(tx: Tx, found: Count, keep_float_fen: Fen) -> None:
    """A float is in nobody's name and not overdue at the bank: takings do not become one. Refused `bad_float`."""
    more = keep_float_fen - found.float_fen
    if more <= 0:
        return
    await store_shifts.lock_drawer(tx, found.project_id, f"float:{found.project_id}")
    kept = (await store_shifts.drawer(tx, found.project_id, f"float:{found.project_id}"))[0]
    company = (await estate.get_project(tx, found.project_id)).company_id
    limit = int(await access.setting(tx, FLOAT_LIMIT, company))
    if kept + more > limit:
        zh = f"本项目留存的备用金已多出 {yuan(max(kept, 0))} 元，最多 {yuan(limit)} 元；多的要交出来送存银行"
        raise Refused("bad_float", zh, f"the project's floats would come to {kept + more} fen", field="float")


async def confirm(tx: Tx, handover_id: int, amount_fen: Fen, float_fen: Fen, who: Principal, *, at: datetime) -> Count:
    """The receiver confirms the amount and the float with an own log-in (C-32): the cash is in transit in their name.

    NotFound; Refused `own_drawer` (Y-02: whoever held or counted it), `amount_differs`, `bad_float`; Conflict `already_decided`.
    """
    found, standing = await _offered(tx, handover_id, who)
    if found.state == "confirmed" and found.receiver_id == who.user_id:
        return standing
    if found.state != "waiting":
        raise Conflict("already_decided", "这次交接已经处理过了", f"hand-over {handover_id} is {found.state}")
    if (amount_fen, float_fen) != (found.amount_fen, found.float_fen):
        raise Refused(
            "amount_differs",
            "和对方交的金额不一样。当面再点一遍；还不一样就拒绝接班",
            "the amounts are not those offered",
            field="amount",
        )
    await _float_allowed(tx, standing, found.float_fen)
    await store_shifts.decide(tx, handover_id, "confirmed", (who.user_id or 0, who.number, who.name), at)
    change = found.float_fen - standing.float_fen
    postings = [
        ledger.Posting(ledger.Account.CASH_IN_TRANSIT, found.amount_fen, person_ref(who.number)),
        ledger.Posting(ledger.Account.CASH_DRAWER, change, f"float:{found.project_id}"),
        ledger.Posting(ledger.Account.CASH_DRAWER, -(found.amount_fen + change), standing.drawer),
    ]
    postings = [one for one in postings if one.amount_fen]
    if postings:
        facts = {"count": standing.id, "from": standing.holder, "to": who.number, "float_fen": found.float_fen}
        made = await post(tx, found.project_id, "cash_handover", f"handover:{found.id}", postings, at, **facts)
        await store_shifts.handed(tx, found.id, made)
    if standing.shift_id is not None:
        await store_shifts.settle(tx, standing.shift_id, at)
    await tx.notify("drawers", {"project_id": found.project_id, "drawer": standing.drawer})
    return await count_of(tx, standing.id)


async def refuse(tx: Tx, handover_id: int, reason: str, who: Principal, *, at: datetime) -> Count:
    """The receiver does not confirm: the drawer is frozen until somebody else has counted it, and HQ hears of it (C-32).

    NotFound; Refused `no_reason`, `own_drawer`; Conflict `already_decided`.
    """
    found, standing = await _offered(tx, handover_id, who)
    if found.state == "refused" and found.receiver_id == who.user_id:
        return standing
    if found.state != "waiting":
        raise Conflict("already_decided", "这次交接已经处理过了", f"hand-over {handover_id} is {found.state}")
    reason = reason.strip()
    if not 2 <= len(reason) <= 200:
        raise Refused("no_reason", "写一句为什么不接", "a refusal needs a reason", field="reason")
    await store_shifts.decide(tx, handover_id, "refused", (who.user_id or 0, who.number, who.name), at, reason)
    if standing.shift_id is not None:
        await store_shifts.freeze(tx, standing.shift_id, at)
    facts = {
        "project_id": found.project_id,
        "kind": "handover_refused",
        "subject": standing.drawer,
        "amount_fen": found.amount_fen,
    }
    await tx.notify("alarm", facts | {"holder": standing.holder, "place": standing.place})
    told = {"holder": standing.holder, "amount_fen": found.amount_fen, "float_fen": found.float_fen}
    company = (await estate.get_project(tx, found.project_id)).company_id
    await audit(
        tx, who, "handover.refuse", standing.drawer, None, told, reason, at=at, company_id=company, project_id=found.project_id
    )
    return await count_of(tx, standing.id)


async def _offered(tx: Tx, handover_id: int, who: Principal) -> tuple[Handover, Count]:
    found = await store_shifts.handover(tx, handover_id) if 0 < handover_id < 2**31 else None
    if found is None:
        raise NotFound("handover_not_found", "没有这次交接", f"no hand-over {handover_id}", field="handover")
    standing = await count_of(tx, found.count_id)
    if who.user_id in (standing.holder_id, standing.by_id, found.offered_by) or who.number == standing.holder:
        raise Refused("own_drawer", "自己的抽屉、自己点的钱，要由另一个人确认", "whoever held or counted it does not receive it")
    return found, standing


async def _standing(tx: Tx, count_id: int) -> Count:
    """The count, when it still stands for its drawer: the last one, or one whose cash was received before a guard took more."""
    found = await count_of(tx, count_id)
    last = await store_shifts.last_count(tx, found.project_id, found.drawer)
    if last is None or last.id != found.id and found.handed != "confirmed":
        raise Conflict("superseded", "这个抽屉后来又盘点过，以最后一次为准", f"count {count_id} was superseded")
    return found
