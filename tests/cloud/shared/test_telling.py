"""What a transaction tells is said after its commit, in order, again after trouble; what may not be lost, by the commit."""

from __future__ import annotations

import asyncio

from cloud.shared.db import INSIDE, Scope
from cloud.shared.telling import Teller


async def heard_of(heard, count: int) -> list[tuple[str, dict[str, object]]]:
    return [await asyncio.wait_for(heard.get(), 5) for _ in range(count)]


async def test_words_come_in_order_and_nobody_waits_for_them(money_db, listening):
    async with listening() as heard:
        for number in range(250):
            async with money_db.tx(Scope.none()) as tx:
                await tx.notify("n", {"n": number})
        assert [payload["n"] for _, payload in await heard_of(heard, 250)] == list(range(250))


async def test_words_are_said_again_when_the_connection_was_lost(money_db, money_admin, listening):
    async with listening() as heard:
        async with money_db.tx(Scope.none()) as tx:
            await tx.notify("first", {})
        assert await heard_of(heard, 1) == [("first", {})]
        money_admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gatehouse-teller'"
            " AND datname = current_database()"
        )
        async with money_db.tx(Scope.none()) as tx:
            await tx.notify("second", {})
        assert await heard_of(heard, 1) == [("second", {})]


async def test_what_waits_is_said_before_the_database_is_closed(pg, money_database, listening):
    from cloud.shared.db import Database

    db = await Database.open(pg.app(money_database))
    async with listening() as heard:
        async with db.tx(Scope.none()) as tx:
            await tx.notify("last", {})
        await db.close()
        assert heard.qsize() or await heard_of(heard, 1) == [("last", {})]


async def test_too_much_to_say_becomes_one_gap_for_everybody(hub, pg, money_database):
    teller = Teller(pg.app(money_database))
    async with hub.live.subscribe({"other"}) as heard:
        teller.tell(['{"topic":"x"}'] * 10_001)
        assert await asyncio.wait_for(heard.get(), 5) == {"topic": "gap"}
    await teller.close()


async def test_documents_and_ended_sessions_are_told_by_the_commit_itself(money_db, listening):
    """K-05, Y-05: a hub that dies right after the commit has told it all the same: no second connection is in it."""
    async with listening() as heard:
        for topic in sorted(INSIDE):
            async with money_db.tx(Scope.none()) as tx:
                await tx.notify(topic, {"box": "b"})
        assert await heard_of(heard, 2) == [(topic, {"box": "b"}) for topic in sorted(INSIDE)]
        row = await money_db.call("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'gatehouse-teller'"
                                  " AND datname = current_database()")  # fmt: skip
        assert row == {"n": 0}
