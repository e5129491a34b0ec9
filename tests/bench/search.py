"""100,000 owners with their rooms and cars: what a cashier types, and the first rows of the pages at that size."""

from __future__ import annotations

import asyncio
import time

from cloud.app import create_app
from cloud.estate import service as estate
from cloud.shared.db import Database, Scope
from cloud.shared.menu import menu_of
from tests.bench.harness import Bench, Bound, Figure, Row, median
from tests.support.hub import Admin, HubClient, make_hub

SEARCH, PAGES = "hub: search over 100,000 owners", "hub: first row of any page at that size"
OWNERS, PROJECTS = 100_000, 20
_SCOPE = Scope(frozenset({1}))
_TYPED = ("31502", "1-502", "业主4711", "张伟", "zw", "0471", "4711", "A04711", "京B00471", "Y04711", "5", "nobody here")
"""Digits of a room, a name, initials, the end of a phone, part of a plate, an owner's number; much and nothing found."""

_WORLD = """
    INSERT INTO companies (id, code, name, created_at) VALUES (1, 'c1', '公司', now());
    INSERT INTO projects (id, company_id, code, name, kind, created_at)
        SELECT n, 1, 'p' || n, '项目' || n, 'residential', now() FROM generate_series(1, {projects}) n;
    INSERT INTO owners (id, company_id, project_id, number, name, pinyin, phone, created_at)
        SELECT n, 1, 1 + n % {projects}, 'Y' || lpad(n::text, 6, '0'),
               (array['张伟', '王芳', '李娜', '刘洋'])[1 + n % 4] || CASE WHEN n % 3 = 0 THEN '' ELSE n::text END,
               (array['zw', 'wf', 'ln', 'ly'])[1 + n % 4], '139' || lpad((n * 7919 % 100000000)::text, 8, '0'), now()
        FROM generate_series(1, {owners}) n;
    INSERT INTO rooms (id, company_id, project_id, code, area, payer_id, created_at)
        SELECT n, 1, 1 + n % {projects},
               (1 + m / 200) || '-' || (1 + m / 50 % 4) || '-' || (1 + m % 50 / 4) || '0' || (1 + m % 50 % 4),
               40 + n % 100 + 0.37, n, now()
        FROM generate_series(1, {owners}) n, LATERAL (SELECT n / {projects} AS m) x;
    INSERT INTO vehicles (company_id, project_id, room_id, owner_id, plate)
        SELECT 1, 1 + n % {projects}, r.id, n, '京B' || lpad(n::text, 5, '0') FROM generate_series(1, {owners} - 1, 2) n
        JOIN rooms r ON r.id = n;
"""


def search(at: Bench) -> list[Figure]:
    owners, times = at.much(OWNERS, 2_000), at.much(10, 2)
    with at.postgres.database("empty_hub") as database:
        admin = Admin(at.postgres.superuser(database))
        admin.execute(_WORLD.format(owners=owners, projects=PROJECTS))
        admin.execute("VACUUM ANALYZE")
        typed, pages = asyncio.run(_look(at.postgres.app(database), times))
    slow, took = max(typed.items(), key=lambda one: one[1])
    note = f"{owners} owners in {PROJECTS} projects; {len(typed)} things typed, each the median of {times}; the slowest: {slow}"
    page, first = max(pages.items(), key=lambda one: one[1])
    told = f"{len(pages)} pages of the menu and the list's filters, each the median of {times}, whole; the slowest: {page}"
    return [Figure(SEARCH, took, "ms", Bound(200), note), Figure(PAGES, first, "ms", Bound(300), told)]


async def _look(dsn: str, times: int) -> tuple[dict[str, float], dict[str, float]]:
    """ms of what is typed, in the group and in one project, and of pages as headquarters opens them, without the first look."""
    db = await Database.open(dsn)
    typed: dict[str, float] = {}
    for text in _TYPED:
        for project in (None, 5):
            typed[f"{text} in {'a project' if project else 'all'}"] = await _median(lambda: _search(db, text, project), times)  # noqa: B023
    async with make_hub(db, dsn) as hub, HubClient(hub, create_app(hub)) as client:
        await client.log_in("hq_finance")
        me = await client.get("/api/v1/me")
        pages = {
            address: await _median(lambda: _open(client, address), times)  # noqa: B023
            for address in (
                *_menu(me.json()),
                "/owners?at=p5",
                "/owners?q=zw",
                "/owners?q=5",
                "/owners?use=shop",
                "/search?q=zw",
            )
        }
    await db.close()
    return typed, pages


def _menu(me: dict[str, object]) -> list[str]:
    class Somebody:
        permissions = me["permissions"]
        roles = ("hq_finance",)

    return [one.url for one in menu_of(Somebody())]  # type: ignore[arg-type]  # as much of a person as the menu looks at


async def _search(db: Database, text: str, project: int | None) -> None:
    async with db.tx(_SCOPE) as tx:
        rooms = await estate.search_rooms(tx, text, project_id=project)
        if not rooms:
            await estate.search_owners(tx, text, project_id=project)


async def _open(client: HubClient, address: str) -> None:
    answer = await client.get(address, headers={"accept": "text/html"})
    if answer.status_code not in (200, 303):
        raise RuntimeError(f"{address}: {answer.status_code}")


async def _median(look: object, times: int) -> float:
    assert callable(look)
    await look()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await look()
        took.append((time.perf_counter() - began) * 1_000)
    return median(took)


ROWS = (Row("search", (SEARCH, PAGES), search),)
"""Both from one world."""
