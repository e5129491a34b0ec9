"""Headquarters' day over 200 projects: the figures of the page "today", as the hub's role sees them."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from cloud.reports import service as reports
from cloud.shared.db import Database, Scope
from cloud.shared.places import look
from protocols.time import SHANGHAI, business_date
from tests.bench.harness import Bench, Bound, Figure, Row, median
from tests.support.hub import Admin

TITLE = "hub: HQ's day over 200 projects"
PROJECTS, RECEIPTS, COMPANIES = 200, 300, 4
_WORLD = """
    INSERT INTO companies (id, code, name, created_at) SELECT 1000 + n, 'c' || n, '公司' || n, now()
        FROM generate_series(1, {companies}) n;
    INSERT INTO projects (id, company_id, code, name, kind, created_at)
        SELECT 1000 + n, 1001 + n %% {companies}, 'p' || n, '项目' || n, 'residential', now()
        FROM generate_series(1, {projects}) n;
    INSERT INTO boxes (id, company_id, project_id, registered_at, registered_by, claimed_at)
        SELECT 'box-' || id, company_id, id, now(), '1', now() FROM projects WHERE id > 1000;
    INSERT INTO receipt_books (id, company_id, project_id, code, kind) OVERRIDING SYSTEM VALUE
        SELECT id, company_id, id, 'B' || id, 'counter' FROM projects WHERE id > 1000;
    INSERT INTO shifts (id, company_id, project_id, user_id, user_number, user_name, terminal, book_id, float_fen, opened_at)
        OVERRIDING SYSTEM VALUE
        SELECT id, company_id, id, id, id::text, '收费员' || id, '窗口 1', id, 20000, now() FROM projects WHERE id > 1000;
    CREATE TEMP TABLE made AS
        SELECT p.id AS project_id, p.company_id, back, n, (p.id * 10 + back)::bigint * 10000 + n AS id, 500 + n * 7 AS fen,
               (array['cash', 'cash', 'pos', 'transfer'])[1 + n %% 4] AS method,
               date '{day}' - 7 * back AS day,
               ((date '{day}' - 7 * back) + interval '8 hours' + n * interval '100 seconds') AT TIME ZONE 'Asia/Shanghai' AS at
        FROM projects p, generate_series(0, 1) back, generate_series(1, {receipts}) n WHERE p.id > 1000;
    INSERT INTO ledger_entries (id, company_id, project_id, seq, kind, source, asked, booked_at, arrived_at, business_date, body,
                                content, prev, hash) OVERRIDING SYSTEM VALUE
        SELECT id, company_id, project_id, back * {receipts} + n, 'counter', 'bench:' || id, '\\x', at, at, day, '{{}}',
               sha256(id::text::bytea), sha256('p'), sha256(id::text::bytea) FROM made;
    INSERT INTO ledger_heads (project_id, company_id, seq) SELECT project_id, company_id, max(n) FROM made GROUP BY 1, 2;
    INSERT INTO ledger_postings (entry_id, line, company_id, project_id, account, amount_fen, ref)
        SELECT id, 1, company_id, project_id, CASE method WHEN 'cash' THEN 'cash_drawer' WHEN 'pos' THEN 'provider_clearing'
               ELSE 'bank' END, fen, CASE method WHEN 'cash' THEN 'shift:' || project_id ELSE method || ':' || id END FROM made
        UNION ALL SELECT id, 2, company_id, project_id, 'receivable', -fen, 'line:' || id FROM made;
    INSERT INTO receipts (id, company_id, project_id, book_id, number, kind, entry_id, at, arrived_at, business_date, object,
                          total_fen, change_fen, cashier, cashier_name, shift_id, terminal, request_key, request_digest)
        OVERRIDING SYSTEM VALUE
        SELECT id, company_id, project_id, project_id, back * {receipts} + n, 'counter', id, at, at, day, '1-1-' || n, fen, 0,
               project_id::text, '收费员', project_id, '窗口 1', 'bench:' || id, 'x' FROM made;
    INSERT INTO receipt_tenders (receipt_id, line, company_id, method, tendered_fen, amount_fen, reference)
        SELECT id, 1, company_id, method, fen, fen, CASE WHEN method <> 'cash' THEN 'R' || id END FROM made;
    INSERT INTO receipt_lines (receipt_id, line, company_id, item, item_name, object, formula, principal_fen, late_fee_fen)
        SELECT id, 1, company_id, 'property', '物业费', '1-1-' || n, '1 个月', fen, 0 FROM made;
    DROP TABLE made;
"""


def day(at: Bench) -> list[Figure]:
    projects, receipts = at.much(PROJECTS, 20), at.much(RECEIPTS, 30)
    today = business_date(datetime.now(SHANGHAI))
    sizes = {"companies": COMPANIES, "projects": projects, "receipts": receipts, "day": today.isoformat()}
    with at.postgres.database("empty_hub") as database:
        admin = Admin(at.postgres.superuser(database))
        admin.tamper(_WORLD.replace("%%", "%").format(**sizes))
        admin.execute("VACUUM ANALYZE")
        found = asyncio.run(_look(at.postgres.app(database), projects, receipts, at.much(15, 3)))
    note = (
        f"{projects} projects with {receipts} receipts of the day each, and as many a week before; who holds cash, what "
        f"nobody has explained, which boxes are there; median of {len(found)}, slowest {max(found):.0f} ms"
    )
    return [Figure(TITLE, median(found), "ms", Bound(100), note)]


async def _look(dsn: str, projects: int, receipts: int, times: int) -> list[float]:
    """ms of each look but the first; the sums are right."""
    db = await Database.open(dsn)
    scope, took = Scope(frozenset(range(1001, 1001 + COMPANIES))), []
    now = datetime.now(SHANGHAI)
    for _ in range(times + 1):
        began = time.perf_counter()
        async with db.tx(scope) as tx:
            where = await look(tx, None)
            money = await reports.money(tx, where, business_date(now), now)
        took.append((time.perf_counter() - began) * 1_000)
    await db.close()
    total = projects * sum(500 + number * 7 for number in range(1, receipts + 1))
    assert (money.day.total.receipts, money.day.total.total_fen) == (projects * receipts, total)
    return took[1:]


ROWS = (Row("day", (TITLE,), day),)
