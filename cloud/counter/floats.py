"""The cash a drawer opens with: what its terminal was left with at the last hand-over, and what somebody else gave to it since
(C-31, C-32). Anything else has a reason, and headquarters sees it.
"""

from __future__ import annotations

from datetime import datetime

from cloud.access.service import Principal, audit
from cloud.counter import store_floats
from cloud.counter.store_floats import Left
from cloud.estate import service as estate
from cloud.shared.db import Scope, Tx
from protocols.errors import Refused
from protocols.money import Fen, yuan

LEAST_REASON = 2


async def left_at(tx: Tx, project_id: int, terminal: str) -> Left:
    """What a drawer should hold when it is opened now."""
    return await store_floats.left(tx, project_id, terminal)


async def check(tx: Tx, project_id: int, terminal: str, float_fen: Fen, reason: str, opener: int) -> Left:
    """What should lie there, locked until this transaction ends. Refused `float_differs` where something else is said without a
    reason; a terminal that was never used starts with what is said, on record.
    """
    await store_floats.lock(tx, project_id, terminal)
    left = await store_floats.left(tx, project_id, terminal, opener)
    if left.known and float_fen != left.total_fen and len(reason.strip()) < LEAST_REASON:
        given = f"，后来给了 {yuan(left.given_fen)} 元" if left.given_fen else ""
        zh = f"上次交班在{terminal}留了 {yuan(left.kept_fen)} 元{given}。点下来不一样就写原因，总部会看到"
        raise Refused("float_differs", zh, f"{left.total_fen} fen were left there", field="float_reason", left_fen=left.total_fen)
    return left


async def opened(
    tx: Tx, project_id: int, shift_id: int, who: tuple[int, str, str], left: Left, float_fen: Fen, reason: str, at: datetime
) -> None:
    """Keep what should have lain there; a difference is told at once."""
    differs = left.known and float_fen != left.total_fen
    reason = reason.strip()[:200] if differs else ""
    await store_floats.keep(tx, shift_id, left, reason or None)
    if not differs:
        return
    facts = {"project_id": project_id, "kind": "float_differs", "subject": f"shift:{shift_id}"}
    await tx.notify("alarm", facts | {"holder": who[1], "amount_fen": float_fen - left.total_fen})
    told = {"left_fen": left.total_fen, "float_fen": float_fen}
    person = Principal(who[0], who[1], who[2], (), Scope.none(), frozenset())
    company = (await estate.get_project(tx, project_id)).company_id
    await audit(
        tx, person, "shift.float", f"shift:{shift_id}", None, told, reason, at=at, company_id=company, project_id=project_id
    )


async def give(tx: Tx, project_id: int, terminal: str, fen: Fen, reason: str, who: Principal, *, key: str, at: datetime) -> None:
    """Somebody puts cash for change into a drawer before another one opens it: one's own gift does not count (`check`).

    The same key changes nothing. NotFound `project_not_found`; Refused `bad_amount`, `bad_terminal`, `no_reason`.
    """
    project = await estate.get_project(tx, project_id)
    terminal, reason = terminal.strip(), reason.strip()
    if not 1 <= len(terminal) <= 40:
        raise Refused("bad_terminal", "写窗口的名字，例如 窗口 1", "a terminal needs a name", field="terminal")
    if not 0 < fen <= 10**7:
        raise Refused("bad_amount", "金额要大于 0，最多 100,000 元", "no such float", field="amount")
    if not LEAST_REASON <= len(reason) <= 200:
        raise Refused("no_reason", "写一句钱从哪里来", "a reason is needed", field="reason")
    await store_floats.lock(tx, project_id, terminal)
    if await store_floats.give(tx, project_id, terminal, fen, reason, (who.user_id or 0, who.number, who.name), key, at):
        told = {"terminal": terminal, "amount_fen": fen}
        await audit(
            tx, who, "float.give", f"project:{project_id}", None, told, reason, at=at, company_id=project.company_id,
            project_id=project_id,
        )  # fmt: skip
