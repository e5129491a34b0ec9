"""The shell of every page: a menu without dead ends, the switcher, the demo strip, files that exist (1.1, P-09, M-06, Z-06)."""

from __future__ import annotations

import re

import pytest

from cloud.shared.pages import MENU, STATIC, static
from tests.support.hub import make_hub

ROLES = {
    "hq_finance": ["/today", "/receipts", "/lanes", "/meters", "/fleet"],
    "hq_auditor": ["/today", "/receipts", "/lanes", "/meters", "/fleet"],
    "sub_manager": ["/today", "/receipts", "/lanes", "/meters", "/fleet"],
    "project_manager": ["/today", "/receipts", "/lanes", "/meters", "/fleet"],
    "cashier": ["/desk", "/receipts", "/meters"],
    "technician": ["/lanes", "/fleet"],
    "guard": ["/lanes"],
    "meter_reader": ["/meters"],
    "hq_admin": ["/fleet"],
}


@pytest.mark.parametrize("role", ROLES)
async def test_a_menu_shows_what_the_role_may_read_and_every_entry_opens(hub_client, role):
    """1.1, UI 3"""
    await hub_client.log_in(role, project=None if role.startswith("hq") else 11)
    first = await hub_client.get("/")
    assert first.headers["location"] == ROLES[role][0]
    for url in ROLES[role]:
        page = await hub_client.get(url)
        assert page.status_code == 200, url
        if url != "/desk":
            menu = page.text.split('aria-label="主菜单"')[1]
            assert re.findall(r'<a href="(/\w+)"', menu.split("</nav>")[0]) == ROLES[role]
    for item in MENU:
        if item.url not in ROLES[role]:
            assert (await hub_client.get(item.url)).status_code == 403, item.url


async def test_roles_without_a_page_are_told_so(hub_client):
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
        assert "演示数据，随时可重置" in (await client.get("/login")).text
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
