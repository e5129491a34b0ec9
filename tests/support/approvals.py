"""People with roles, a request that waits, a decision: for tests of what needs a second person."""

from __future__ import annotations

from cloud.access import service as access
from cloud.access import store
from cloud.access.domain import Principal
from cloud.shared.db import Scope
from cloud.shared.hub import Hub
from tests.support.hub import NOON, add_person

EAST = Scope(frozenset({1}))
ROLES = ("cashier", "project_manager", "sub_manager", "hq_finance", "hq_auditor", "hq_admin", "guard", "service", "technician")


async def person(hub: Hub, number: str, *roles: str, company: int | None = 1, project: int | None = 11) -> Principal:
    """Somebody with roles, each at the place where it can be held."""
    made = 0
    for role in roles:
        place = (None, None) if role.startswith("hq_") else (company, None if role == "sub_manager" else project)
        made = await add_person(hub, number, role, *place)
    row = await store.person(hub.db, made, None)
    scope = Scope(
        frozenset(row["companies"]), None if row["projects"] is None else frozenset(row["projects"]), row["whole_group"]
    )
    return Principal(made, number, f"测试{number}", tuple(row["roles"]), scope, frozenset(row["permissions"]))


async def ask(hub: Hub, who: Principal, fen: int = 7_745, **more: object) -> access.Approval:
    """A cashier asks for a waiver."""
    wanted: dict[str, object] = {
        "kind": "waiver", "project_id": 11, "subject": "line:17", "title": "减免 1-1-101 违约金", "amount_fen": fen,
        "payload": {"line": 17},
        "before": "77.45", "after": "0.00", "reason": "银行晚到", "key": "k1", "terminal": "窗口 1", "now": NOON,
        "beneficiary": "owner:101",
    }  # fmt: skip
    async with hub.db.tx(who.scope) as tx:
        return await access.ask(tx, who, **wanted | more)  # type: ignore[arg-type]  # fields by name


async def decide(
    hub, who: Principal, one: access.Approval, *, approve: bool = True, note: str = "", now=NOON, terminal: str = "办公室"
):
    return await access.decide(hub, who, one.id, approve=approve, note=note, terminal=terminal, now=now)
