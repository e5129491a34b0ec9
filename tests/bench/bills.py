"""100,000 bills: a run of drafts with every explained line, and publishing it into the books."""

from __future__ import annotations

import asyncio
import time
from datetime import date, datetime

from cloud.fees import service as fees
from cloud.shared.db import Database, Scope
from protocols.time import SHANGHAI
from tests.bench.harness import Bench, Bound, Figure, Row
from tests.support.hub import Admin

TITLE = "hub: 100,000 bills with entries"
ROOMS, MONTHS = 10_000, 10
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=SHANGHAI)
_SCOPE = Scope(frozenset({1}))
_TERM = {
    "cycle": "month", "every": 1, "alignment": "natural", "billed": "advance", "offset_days": 0,
    "due": {"rule": "nth_day", "day": 15}, "roll_to_workday": False,
    "late": {"daily_rate": "0.0005", "grace_days": 15, "grace_mode": "after_grace", "cap_rate": "1"},
}  # fmt: skip
_AREA = {
    "method": "area", "price": "2.35", "price_per": "month", "area_kind": "gross", "proration_start": "actual",
    "proration_end": "actual", "on_price_change": "keep", "refund_running": False,
}  # fmt: skip
_WORLD = """
    INSERT INTO companies (id, code, name, created_at) VALUES (1, 'c1', '公司', now());
    INSERT INTO projects (id, company_id, code, name, kind, created_at) VALUES (11, 1, 'p1', '项目', 'residential', now());
    INSERT INTO owners (id, company_id, project_id, number, name, created_at)
        SELECT n, 1, 11, n::text, '业主' || n, now() FROM generate_series(1, {rooms}) n;
    INSERT INTO rooms (id, company_id, project_id, code, area, payer_id, created_at)
        SELECT n, 1, 11, '1-' || n, 40 + n % 100 + 0.37, n, now() FROM generate_series(1, {rooms}) n;
"""


def bills(at: Bench) -> list[Figure]:
    rooms, months = at.much(ROOMS, 200), at.much(MONTHS, 2)
    with at.postgres.database("empty_hub") as database:
        admin = Admin(at.postgres.superuser(database))
        admin.tamper(_WORLD.format(rooms=rooms))
        admin.execute("VACUUM ANALYZE")
        drafted, published = asyncio.run(_bill(at.postgres.app(database), rooms, months))
    lines = rooms * months
    note = f"{lines} lines of {rooms} rooms: drafts {drafted:.1f} s, published with the entry and its digest {published:.1f} s"
    return [Figure(TITLE, (drafted + published) * 100_000 / lines, "s", Bound(10), note)]


async def _bill(dsn: str, rooms: int, months: int) -> tuple[float, float]:
    """Seconds for the drafts and for publishing; every room has its lines."""
    db = await Database.open(dsn)
    through = date(2026, months, 28)
    async with db.tx(_SCOPE) as tx:
        await fees.put_items(tx, 1, [fees.Item("property", "物业费", "recurring", False, True, 10, 10)])
        term = await fees.add_term(tx, 1, code="monthly", name="按月", document=_TERM, at=NOW, by="bench")
        standard = await fees.add_standard(tx, 11, item="property", code="wyf", name="物业费", at=NOW, by="bench")
        version = await fees.draft_version(
            tx, standard, effective_from=date(2020, 1, 1), document=_AREA, term_id=term.id, reason="定价", at=NOW, by="bench"
        )
        await fees.publish(tx, version.id, at=NOW, by="bench")
        new = [fees.NewAssignment(standard, number, f"1-{number}", date(2026, 1, 1)) for number in range(1, rooms + 1)]
        await fees.assign(tx, standard, new, at=NOW, by="bench")
        batch = await fees.start_run(tx, 11, title="bench", through=through, at=NOW, by="bench")
    began = time.perf_counter()
    await fees.bill_all(db, _SCOPE, batch, at=NOW, by="bench", told=_go_on)
    async with db.tx(_SCOPE) as tx:
        await fees.finish_run(tx, batch, ())
    drafted = time.perf_counter() - began
    began = time.perf_counter()
    async with db.tx(_SCOPE) as tx:
        run = await fees.publish_run(tx, batch, at=NOW, by="bench")
    published = time.perf_counter() - began
    await db.close()
    assert (run.lines, run.state) == (rooms * months, "published")
    return drafted, published


async def _go_on(step: fees.Billed) -> bool:
    return not step.failures


ROWS = (Row("bills", (TITLE,), bills),)
