"""The menu of the console: which pages exist, and in which order a role sees them (UI.md 3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol


class Permitted(Protocol):
    """Somebody with roles and permissions."""

    @property
    def roles(self) -> Collection[str]: ...
    @property
    def permissions(self) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page that exists, under its group's word; shown only to those who may read it."""

    group: str
    name: str
    url: str
    icon: str
    permission: str


MENU = (
    MenuItem("总部", "今日收款", "/today", "report-money", "today.read"),
    MenuItem("总部", "资金监控", "/cash", "shield-check", "cash.read"),
    MenuItem("总部", "渠道对账", "/recon", "arrows-exchange", "recon.read"),
    MenuItem("收费", "收费窗口", "/desk", "cash-register", "counter.collect"),
    MenuItem("账务", "审批", "/approvals", "checks", "approval.read"),
    MenuItem("账务", "欠费催收", "/arrears", "clock-exclamation", "arrears.read"),
    MenuItem("账务", "收款明细", "/receipts", "receipt-2", "receipt.read"),
    MenuItem("账务", "票据本", "/books", "book-2", "book.read"),
    MenuItem("账务", "交班日结", "/shifts", "user-check", "shift.read"),
    MenuItem("收费", "本班", "/shift", "calculator", "shift.run"),
    MenuItem("账务", "缴款", "/deposit-slips", "building-bank", "slip.read"),
    MenuItem("账务", "应收账单", "/charges", "file-invoice", "charge.read"),
    MenuItem("账务", "押金", "/deposits", "pig-money", "deposit.read"),
    MenuItem("账务", "预存", "/wallets", "wallet", "wallet.read"),
    MenuItem("账务", "待付退款", "/refunds", "arrow-back-up", "wallet.read"),
    MenuItem("账务", "消息记录", "/notices", "message", "notice.read"),
    MenuItem("账务", "报表", "/reports", "chart-bar", "report.money"),
    MenuItem("设置", "期初余额", "/opening", "file-spreadsheet", "charge.write"),
    MenuItem("经营", "业主房产", "/owners", "users", "owner.read"),
    MenuItem("经营", "收费标准", "/fees", "tag", "standard.read"),
    MenuItem("经营", "租赁合同", "/contracts", "file-text", "standard.read"),
    MenuItem("经营", "车道实况", "/lanes", "parking", "lane.read"),
    MenuItem("经营", "抄表", "/meters", "gauge", "meter.read"),
    MenuItem("系统", "设备与盒子", "/fleet", "router", "box.read"),
    MenuItem("系统", "组织与权限", "/org", "users", "user.read"),
    MenuItem("系统", "操作日志", "/audit", "history", "audit.read"),
    MenuItem("系统", "设置", "/settings", "tool", "setting.read"),
)
"""Every page with a place in the menu. Where a role's order below does not name one, it stands at the end in its own group."""

_HQ = (
    ("总部", "/today /cash /approvals /recon"),
    ("账务", "/arrears /receipts /charges /deposits /wallets /refunds /deposit-slips /shifts /books /vouchers /reports /notices"),
    ("经营", "/owners /fees /contracts /parking /lanes /tariffs /lists /meters /tickets"),
    ("系统", "/fleet /org /people /audit /settings"),
)
ORDERS: Mapping[str, Sequence[tuple[str, str]]] = {
    "hq_finance": _HQ,
    "hq_auditor": (("总部", "/cash /today /audit /approvals /recon"), *_HQ[1:]),
    "hq_admin": (("系统", "/org /people /settings /audit /fleet"), *_HQ[:3]),
    "sub_manager": (
        ("公司", "/today /approvals /cash"),
        ("账务", "/arrears /receipts /charges /deposits /wallets /refunds /deposit-slips /shifts /books /reports /notices"),
        ("经营", "/owners /fees /contracts /parking /lanes /tariffs /lists /meters /tickets"),
        ("系统", "/org /people /fleet /audit /settings"),
    ),
    "project_manager": (
        ("日常", "/home /today /owners /tickets /approvals /shifts"),
        ("账务", "/arrears /charges /receipts /deposits /wallets /refunds /deposit-slips /books /reports /notices"),
        ("停车", "/lanes /lists /tariffs"),
        ("能耗", "/meters"),
        ("设置", "/fees /contracts /opening /org /people /fleet /settings"),
    ),
    "cashier": (
        ("收费", "/desk /owners /shift /shifts /receipts"),
        ("账务", "/wallets /deposits /refunds /deposit-slips /books"),
    ),
    "service": (("日常", "/tickets /notices /owners"),),
    "guard": (("岗亭", "/lanes /shift"),),
    "technician": (("现场", "/lanes /fleet /meters"),),
    "meter_reader": (("抄表", "/meters /owners"),),
}

GO = {
    "/today": "t", "/desk": "d", "/owners": "o", "/receipts": "r", "/arrears": "q", "/approvals": "s", "/cash": "z",
    "/shifts": "j", "/shift": "b", "/deposit-slips": "k", "/charges": "y", "/wallets": "w", "/deposits": "v", "/fees": "f",
    "/lanes": "l", "/meters": "m", "/fleet": "x", "/org": "u", "/reports": "p", "/audit": "a", "/recon": "c", "/home": "h",
}  # fmt: skip
"""address -> the letter that goes there after `g` (UI.md 14)"""


def menu_of(user: Permitted) -> list[MenuItem]:
    """The pages somebody may read, in their role's order; the first one is the home page."""
    may = {item.url: item for item in MENU if item.permission in user.permissions}
    found: list[MenuItem] = []
    role = next((role for role in ORDERS if role in user.roles), "")
    for group, urls in ORDERS.get(role, ()):
        found += [replace(may.pop(url), group=group) for url in urls.split() if url in may]
    return found + list(may.values())


def home_of(user: Permitted) -> str:
    found = menu_of(user)
    return found[0].url if found else "/welcome"
