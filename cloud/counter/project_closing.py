"""Closing a project (退出项目, P-05): what is open is listed, and while anything is the project stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloud.access.service import Principal, audit
from cloud.counter import store_project_closing as store
from cloud.estate import service as estate
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import Fen, yuan

_WHAT = (
    ("arrears", "未缴的应收", "/charges"),
    ("drafts", "没发布的账单", "/charges"),
    ("wallets", "预存", "/wallets"),
    ("deposits", "押金", "/deposits"),
    ("refunds", "待付的退款", "/refunds"),
    ("shifts", "没交的班", "/shifts"),
    ("drawer", "抽屉里没缴存的现金", "/shifts"),
    ("transit", "在途现金", "/deposit-slips"),
    ("clearing", "支付渠道没结算的", "/receipts"),
    ("suspense", "待查的款", "/receipts"),
    ("orders", "没结束的支付订单", "/receipts"),
    ("approvals", "在等的审批", "/approvals"),
)


@dataclass(frozen=True, slots=True)
class Open:
    """Something that is open: how many (0: not counted), how much (None: no money), where it is worked on."""

    what: str
    name: str
    count: int
    fen: Fen | None
    url: str

    @property
    def sentence(self) -> str:
        parts = [f"{self.count} 项" if self.count else "", f"{yuan(self.fen)} 元" if self.fen else ""]
        return f"{self.name} {'，'.join(part for part in parts if part)}"


async def open_things(tx: Tx, project_id: int) -> list[Open]:
    """Everything that keeps a project from being closed. NotFound `project_not_found`."""
    await estate.get_project(tx, project_id)
    row = await store.open_things(tx, project_id)
    found = [Open(what, name, row.get(f"{what}_n", 0), row.get(f"{what}_fen"), url) for what, name, url in _WHAT]
    return [one for one in found if one.count or one.fen]


async def close_project(tx: Tx, principal: Principal, project_id: int, *, reason: str, now: datetime) -> estate.ProjectRecord:
    """The project is over; its books stay readable. Closed already: nothing changes.

    NotFound `project_not_found`; Refused `project_open` with everything that is open, `no_reason`.
    """
    project = await estate.project_record(tx, project_id)
    if project.status == "closed":
        return project
    if len(reason.strip()) < 2:
        raise Refused("no_reason", "写一句依据，例如 合同到期 2026-12-31", "a reason is needed", field="reason")
    await store.lock(tx, project_id)
    found = await open_things(tx, project_id)
    if found:
        zh = f"{project.name} 还不能退出：{'；'.join(one.sentence for one in found)}"
        raise Refused("project_open", zh, f"{len(found)} things are open", field="project")
    closed = await estate.close_project(tx, project_id)
    await audit(
        tx, principal, "project.close", f"project:{project_id}", {"status": project.status}, {"status": "closed"},
        reason.strip()[:200], at=now, company_id=project.company_id, project_id=project_id,
    )  # fmt: skip
    return closed
