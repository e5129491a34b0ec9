"""The shell of every page: a menu without dead ends, the switcher, the demo strip, files that exist (1.1, P-09, M-06, Z-06)."""

from __future__ import annotations

import re

import pytest

from cloud.access.service import everything
from cloud.shared import menu
from cloud.shared.console import Count
from cloud.shared.menu import MENU, MenuItem
from cloud.shared.pages import STATIC, static
from protocols.errors import Retry
from tests.support.hub import make_hub

HOMES = {
    "hq_finance": "/today",
    "hq_auditor": "/cash",
    "sub_manager": "/today",
    "project_manager": "/home",
    "cashier": "/desk",
    "technician": "/lanes",
    "guard": "/lanes",
    "meter_reader": "/meters",
    "hq_admin": "/org",
}
"""role -> its home page (UI.md 3) where that exists; else the next of its order"""


@pytest.mark.parametrize("role", HOMES)
async def test_a_menu_shows_what_the_role_may_read_and_every_entry_opens(hub_client, role):
    """1.1, UI 3"""
    await hub_client.log_in(role, project=None if role.startswith("hq") else 11)
    async with hub_client.hub.db.tx(await everything(hub_client.hub.db)) as tx:
        rows = await tx.fetch_all("SELECT permission FROM role_permissions WHERE role = %s", (role,))
    may = {row["permission"] for row in rows}
    mine = {item.url for item in MENU if item.permission in may}
    home = (await hub_client.get("/")).headers["location"]
    assert home == HOMES[role] if HOMES[role] in mine else home in mine
    for item in MENU:
        page = await hub_client.get(item.url)
        hidden = 404 if item.url == "/cash" else 403  # what headquarters watches is not there for others (UI.md 4)
        assert page.status_code == (200 if item.url in mine else hidden), item.url
        if page.status_code == 200 and 'aria-label="主菜单"' in page.text:
            menu = page.text.split('aria-label="主菜单"')[1].split("</nav>")[0]
            listed = re.findall(r'<a href="(/[\w-]+)"', menu)
            assert listed[0] == home and sorted(listed) == sorted(mine), item.url


def test_an_auditor_looks_at_cash_first_and_a_manager_at_what_waits(monkeypatch):
    """UI 3: each role's own order, in its own groups."""
    pages = [MenuItem("账务", "审批", "/approvals", "checks", "a"), MenuItem("总部", "今日收款", "/today", "report-money", "a")]
    pages += [MenuItem("总部", "资金监控", "/cash", "shield-check", "a"), MenuItem("别的", "新页", "/new", "eye", "a")]
    monkeypatch.setattr(menu, "MENU", tuple(pages))
    order = lambda role: [(one.group, one.url) for one in menu.menu_of(Somebody(role))]  # noqa: E731
    assert order("hq_auditor") == [("总部", "/cash"), ("总部", "/today"), ("总部", "/approvals"), ("别的", "/new")]
    assert order("project_manager") == [("日常", "/today"), ("日常", "/approvals"), ("总部", "/cash"), ("别的", "/new")]
    assert order("guard")[0] == ("账务", "/approvals")


class Somebody:
    permissions = frozenset({"a"})

    def __init__(self, role: str) -> None:
        self.roles = (role,)


async def test_roles_without_a_page_are_told_so(hub_client, monkeypatch):
    monkeypatch.setattr(menu, "MENU", ())
    await hub_client.log_in("service", project=11)
    assert (await hub_client.get("/")).headers["location"] == "/welcome"
    assert "还没有页面" in (await hub_client.get("/welcome")).text


async def test_the_switcher_names_only_ones_own_places(hub_client):
    """P-09, 0.6"""
    await hub_client.log_in("project_manager", project=12)
    html = (await hub_client.get("/today")).text
    assert "小河里" in html and "枫桥雅苑" not in html and "华北" not in html
    assert 'href="/today?at=p12"' in html


async def test_the_demo_says_so_on_every_page(money_db, pg, money_database):
    """Z-06"""
    from cloud.app import create_app
    from tests.support.hub import HubClient

    async with make_hub(money_db, pg.app(money_database), demo=True) as hub, HubClient(hub, create_app(hub)) as client:
        assert "演示数据，随时可重置" in (await client.get("/login", follow_redirects=True)).text
        assert "演示数据，随时可重置" in (await client.get("/r/X/1/00000000")).text
        await client.log_in("cashier", project=11)
        assert "演示数据，随时可重置" in (await client.get("/desk")).text


async def test_every_file_a_page_names_is_there_small_and_kept(hub_client):
    """M-06: a first screen of at most 300 kB; a browser asks for each file once."""
    await hub_client.log_in("hq_finance")
    html = (await hub_client.get("/today")).text
    files = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', html))
    assert {static("pages.css"), static("vendor/icons.svg"), static("vendor/htmx.min.js")} <= files
    sizes = {}
    for url in files:
        async with hub_client.stream("GET", url, headers={"accept-encoding": "gzip"}) as answer:
            assert answer.status_code == 200, url
            assert "immutable" in answer.headers["cache-control"]
            sizes[url] = sum([len(part) async for part in answer.aiter_raw()])
    assert sum(size for url, size in sizes.items() if "echarts" not in url) < 150_000, sizes
    assert sum(sizes.values()) < 400_000
    icons = (STATIC / "vendor" / "icons.svg").read_text()
    assert set(re.findall(r"icons\.svg\?v=\w+#([\w-]+)", html)) <= set(re.findall(r'symbol id="([\w-]+)"', icons))


def test_every_icon_a_template_names_is_in_the_sprite():
    listed = (STATIC / "icons.txt").read_text().split()
    for template in STATIC.parent.parent.glob("*/templates/*.html"):
        for name in re.findall(r'icon\("([\w-]+)"', template.read_text()):
            assert name in listed, (template.name, name)


async def test_the_size_of_text_is_kept_per_user(hub_client):
    """UI 15: at the next log-in on another computer too."""
    await hub_client.log_in("hq_finance")
    assert '<html lang="zh-CN">' in (await hub_client.get("/today")).text
    answer = await hub_client.post("/prefs/text", data={"size": "xl", "back": "/today?at=c1"})
    assert answer.headers["location"] == "/today?at=c1"
    async with hub_client.another() as other:
        await other.log_in("hq_finance")
        await other.get("/")
        assert '<html lang="zh-CN" class="tx-xl">' in (await other.get("/today")).text
    assert (await hub_client.post("/prefs/text", data={"size": "", "back": "//evil"})).headers["location"] == "/"
    assert '<html lang="zh-CN">' in (await hub_client.get("/today")).text


async def test_menu_entries_say_how_much_waits_there(hub_client):
    """UI 3: red is money or safety, grey is work; only for pages somebody may read, a failing one does not hide the others."""

    async def three(tx, user):
        return Count(3, red=True)

    async def none(tx, user):
        return Count(0)

    async def away(tx, user):
        raise Retry("database_away", "", "")

    counts = {"/today": ("today.read", three), "/receipts": ("receipt.read", none), "/fleet": ("box.read", away)}
    hub_client.hub.menu_counts = {**counts, "/desk": ("counter.collect", three)}
    await hub_client.log_in("hq_finance")
    assert (await hub_client.get("/shell/counts")).json() == {"/today": [3, True]}
