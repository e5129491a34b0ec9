"""Transactions, notices, and a database that goes away (DESIGN 4, 6)."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from cloud.shared.db import Database, Scope
from cloud.shared.live import QUEUE, Live
from cloud.shared.migrate import migrate
from cloud.shared.server import SUPERUSER, Server
from protocols.errors import Retry, Stop
from tests.support.hub import folder

EAST = Scope(frozenset({1}))


async def rename(tx, owner: int, name: str) -> None:
    await tx.execute("UPDATE owners SET name = %s WHERE id = %s", (name, owner))


async def name_of(db: Database, owner: int) -> str:
    async with db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT name FROM owners WHERE id = %s", (owner,))
    assert row is not None
    return str(row["name"])


async def test_a_block_that_raises_changes_nothing(money_db):
    with pytest.raises(RuntimeError):
        async with money_db.tx(EAST) as tx:
            await rename(tx, 101, "x")
            raise RuntimeError
    assert await name_of(money_db, 101) == "业主101"


async def test_a_cancelled_block_changes_nothing_and_costs_no_connection(money_db):
    async def slow() -> None:
        async with money_db.tx(EAST) as tx:
            await rename(tx, 101, "x")
            await tx.execute("SELECT pg_sleep(30)")

    for _ in range(20):
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await name_of(money_db, 101) == "业主101"


async def test_a_savepoint_undoes_its_own_part_only(money_db, listening):
    async with listening() as heard:
        async with money_db.tx(EAST) as tx:
            await rename(tx, 101, "kept")
            await tx.notify("first", {"n": 1})
            with pytest.raises(psycopg.errors.CheckViolation):
                async with tx.savepoint():
                    await tx.notify("undone", {})
                    await rename(tx, 102, "")
            await tx.notify("last", {"n": 2})
        assert [await asyncio.wait_for(heard.get(), 5) for _ in range(2)] == [("first", {"n": 1}), ("last", {"n": 2})]
        assert heard.empty()
    assert await name_of(money_db, 101) == "kept"
    assert await name_of(money_db, 102) == "业主102"


async def test_an_error_swallowed_inside_a_transaction_is_not_taken_for_success(money_db):
    """COMMIT after an error rolls back without a word; the caller must not believe otherwise."""
    with pytest.raises(Stop, match="failed_transaction"):
        async with money_db.tx(EAST) as tx:
            await rename(tx, 101, "x")
            with pytest.raises(psycopg.errors.CheckViolation):
                await rename(tx, 102, "")
    assert await name_of(money_db, 101) == "业主101"


async def test_a_notice_of_a_transaction_that_fails_is_not_told(money_db, listening):
    async with listening() as heard:
        with pytest.raises(RuntimeError):
            async with money_db.tx(EAST) as tx:
                await tx.notify("never", {})
                raise RuntimeError
        async with money_db.tx(EAST) as tx:
            await tx.notify("told", {"text": "it's \\ 'quoted'\n", "zh": "收款"})
        assert await asyncio.wait_for(heard.get(), 5) == ("told", {"text": "it's \\ 'quoted'\n", "zh": "收款"})


async def test_a_notice_too_long_for_the_database_stops_the_transaction(money_db):
    with pytest.raises(Stop, match="notice_too_long"):
        async with money_db.tx(EAST) as tx:
            await tx.notify("long", {"text": "x" * 8000})


async def test_a_deadlock_is_a_retry(money_db):
    gate = asyncio.Barrier(2)

    async def one(first: int, second: int) -> None:
        async with money_db.tx(EAST) as tx:
            await rename(tx, first, "a")
            await gate.wait()
            await rename(tx, second, "b")

    done = await asyncio.gather(one(101, 102), one(102, 101), return_exceptions=True)
    (lost,) = [one for one in done if one is not None]
    assert isinstance(lost, Retry)
    assert lost.code == "database_busy"


async def test_fetching_copying_and_counting(money_db):
    async with money_db.tx(EAST) as tx:
        await tx.execute("CREATE TEMP TABLE t (n int, text text) ON COMMIT DROP")
        await tx.copy_rows("COPY t (n, text) FROM STDIN", [(n, f"行\t{n}") for n in range(5)])
        assert await tx.execute("DELETE FROM t WHERE n > %s", (2,)) == 2
        assert await tx.fetch_all("SELECT n FROM t WHERE text LIKE '行%' ORDER BY n") == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert await tx.fetch_one("SELECT n FROM t WHERE n = %(n)s", {"n": 9}) is None


async def test_a_server_that_went_away_is_a_retry_and_comes_back_unseen():
    """Retry while it is away; afterwards pooled connections of before are replaced without a failed call."""
    with folder() as data:
        server = Server(data)
        place = server.start()
        assert place is not None
        migrate(place.dsn(SUPERUSER))
        db = await Database.open(place.dsn("gatehouse_app"), wait=1.0)
        live = Live(db.dsn)
        task = asyncio.create_task(live.run())
        try:
            await asyncio.wait_for(live.listening.wait(), 5)
            async with live.subscribe({"x"}) as heard:
                await asyncio.gather(*(touch(db) for _ in range(8)))
                assert await crash(server)
                with pytest.raises(Retry, match="database_away"):
                    await touch(db)
                with pytest.raises(Retry, match="database_away"):
                    await db.call("SELECT 1 AS one")
                assert server.revive()
                assert not server.revive()
                await asyncio.gather(*(touch(db) for _ in range(8)))
                assert await asyncio.wait_for(heard.get(), 10) == {"topic": "gap"}
                async with db.tx(Scope.none()) as tx:
                    await tx.notify("x", {"n": 1})
                assert await asyncio.wait_for(heard.get(), 10) == {"topic": "x", "n": 1}
        finally:
            task.cancel()
            await db.close()
            server.stop()


async def touch(db: Database) -> None:
    async with db.tx(Scope.none()) as tx:
        await tx.fetch_one("SELECT 1 AS one")


async def crash(server: Server) -> bool:
    """kill -9 of the database server; whether it is gone."""
    import os
    import signal

    os.kill(server.pid, signal.SIGKILL)
    return await asyncio.to_thread(server.gone, 10)


async def test_a_transaction_cut_in_the_middle_is_a_retry(money_db, money_admin):
    with pytest.raises(Retry, match="database_away"):
        async with money_db.tx(EAST) as tx:
            await rename(tx, 101, "x")
            money_admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await tx.fetch_one("SELECT 1 AS one")
    assert await name_of(money_db, 101) == "业主101"


async def test_a_slow_subscriber_is_told_that_it_missed_something(hub, money_db):
    async with hub.live.subscribe({"n"}) as slow, hub.live.subscribe({"end"}) as other:
        async with money_db.tx(EAST) as tx:
            for number in range(QUEUE + 50):
                await tx.notify("n", {"n": number})
        async with money_db.tx(EAST) as tx:
            await tx.notify("end", {})
        await asyncio.wait_for(other.get(), 10)
        seen = [slow.get_nowait() for _ in range(slow.qsize())]
    assert {"topic": "gap"} in seen
    assert seen[-1] == {"topic": "n", "n": QUEUE + 49}


@pytest.mark.parametrize("user", ["gatehouse", "gatehouse_owner", "gatehouse_read"])
async def test_the_hub_refuses_every_role_but_its_own(pg, hub_database, hub_admin, user):
    """DESIGN 4: a superuser's DSN, or the owner's, would switch row security off without a word."""
    hub_admin.execute("ALTER ROLE gatehouse_owner LOGIN")
    try:
        db = await Database.open(pg.app(hub_database).replace("gatehouse_app", user))
        try:
            with pytest.raises(Stop, match="wrong_role") as refused:
                await db.check_role()
            assert user in refused.value.zh
        finally:
            await db.close()
    finally:
        hub_admin.execute("ALTER ROLE gatehouse_owner NOLOGIN")
