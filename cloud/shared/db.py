"""The database as slices see it: a pool, and transactions that see only their scope (DESIGN 4).

A transaction costs two round trips beside its own statements: it begins with its scope set, and it commits; what it has to tell
(`Tx.notify`) is said right after (`cloud.shared.telling`). Trouble with the connection surfaces as Retry `database_away`, a lost
race as Retry `database_busy`, a value that no column can hold as Refused `bad_value`.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from cloud.shared import store
from cloud.shared.marks import CURRENT
from cloud.shared.telling import CHANNEL as CHANNEL
from cloud.shared.telling import Teller
from protocols.errors import Refused, Retry, Stop

INSIDE = frozenset({"manifest", "session"})
"""Topics told by the commit itself: documents for boxes, and a person who may not look on. All others are worth one refresh."""
_INSIDE = tuple(f'{{"topic":"{topic}"' for topic in sorted(INSIDE))

APP = "gatehouse_app"
_NOTICE_BYTES = 7900
_WAIT_SECONDS = 4.0
_LOST_RACES = ("40001", "40P01", "55P03", "57014")
"""serialization_failure, deadlock_detected, lock_not_available, query_canceled"""

type_of_pool = AsyncConnectionPool[AsyncConnection[DictRow]]
Params = Sequence[object] | Mapping[str, object]


@dataclass(frozen=True)
class Scope:
    """What a transaction may see.

    companies  ids; none means no rows
    projects   None: every project of the companies
    group      also what belongs to the group itself and to no company (its users, its audit log)
    """

    companies: frozenset[int]
    projects: frozenset[int] | None = None
    group: bool = False

    @classmethod
    def none(cls) -> Scope:
        return cls(frozenset())

    def covers(self, company_id: int, project_id: int | None = None) -> bool:
        """Whether a company, or one project of it, lies inside. A company as a whole does not lie inside a project."""
        if company_id not in self.companies:
            return False
        return self.projects is None or project_id in self.projects


class Database:
    """A pool of connections as `gatehouse_app`. A restarted server is met with new connections, unseen by callers."""

    def __init__(self, dsn: str, pool: type_of_pool) -> None:
        self.dsn = dsn
        self._pool = pool
        self._teller = Teller(dsn)

    @classmethod
    async def open(cls, dsn: str, *, size: int | None = None, wait: float = _WAIT_SECONDS) -> Database:
        """`size`: connections, by default 4 a core and at least 8. `wait`: how long a caller waits for one, in seconds.

        Retry `database_away` when no server answers.
        """
        pool: type_of_pool = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=size or max(8, 4 * (os.cpu_count() or 1)),
            open=False,
            timeout=wait,
            reconnect_timeout=wait,
            kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 1, "application_name": "gatehouse"},
        )
        await pool.open()
        try:
            await pool.wait(wait)
        except PoolTimeout as problem:
            await pool.close()
            raise _away(problem) from problem
        return cls(dsn, pool)

    async def close(self) -> None:
        await self._teller.close()
        await self._pool.close()

    async def check_role(self) -> None:
        """Stop `wrong_role` unless row security and append-only tables really bind this connection (DESIGN 4)."""
        row = await self.call(store.ROLE)
        assert row is not None
        if row["rolsuper"] or row["rolbypassrls"] or row["owner"] or row["name"] != APP:
            what = "超级用户" if row["rolsuper"] else "数据库属主" if row["owner"] or row["rolbypassrls"] else "别的角色"
            raise Stop(
                "wrong_role",
                f"GATEHOUSE_DSN 里的 {row['name']} 是{what}，总部程序只用 {APP} 运行",
                f"GATEHOUSE_DSN logs in as {row['name']}; the hub runs only as {APP}, whom row security binds",
            )

    def tx(self, scope: Scope) -> Transaction:
        """`async with db.tx(scope) as tx:` commits at the end, rolls back when the block raises."""
        return Transaction(self._pool, self._teller, scope)

    async def call(self, query: str, params: Params = ()) -> dict[str, Any] | None:
        """One statement by itself, in one round trip and without a scope: for the SECURITY DEFINER functions of log-in and the
        like. Its first row or None.
        """
        for attempt in range(self._pool.max_size + 1):
            connection = await _connection(self._pool)
            try:
                cursor = await connection.execute(query, params or None)
                return await cursor.fetchone() if cursor.description else None
            except psycopg.OperationalError as problem:
                if not connection.broken or attempt == self._pool.max_size:
                    raise _trouble(problem) from problem
            except psycopg.DataError as problem:
                raise _bad_value() from problem
            finally:
                await self._pool.putconn(connection)
        raise Stop("unreachable", "程序错误", "the loop above returns or raises")


class Transaction:
    """The context manager behind `Database.tx`."""

    def __init__(self, pool: type_of_pool, teller: Teller, scope: Scope) -> None:
        self._pool = pool
        self._teller = teller
        self._scope = scope
        self._connection: AsyncConnection[DictRow] | None = None
        self._tx: Tx | None = None

    async def __aenter__(self) -> Tx:
        begin = store.begin(self._scope.companies, self._scope.projects, self._scope.group)
        # Connections of before a restart are found out here, where nothing has been done yet.
        for _ in range(self._pool.max_size + 1):
            connection = await _connection(self._pool)
            try:
                await connection.execute(begin)
            except psycopg.OperationalError as problem:
                trouble = _trouble(problem)
                await self._pool.putconn(connection)
                continue
            except BaseException:
                await self._pool.putconn(connection)
                raise
            self._connection = connection
            self._tx = Tx(connection)
            return self._tx
        raise trouble

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        connection, tx = self._connection, self._tx
        assert connection is not None and tx is not None
        try:
            if kind is None:
                if (mark := CURRENT.get()) is not None:
                    await connection.execute(store.COMMITTED, (mark.user_id, mark.key, mark.route, mark.attempt))
                await _commit(connection, [text for text in tx.told if text.startswith(_INSIDE)])
                self._teller.tell([text for text in tx.told if not text.startswith(_INSIDE)])
                return
            if not connection.broken:
                await _roll_back(connection)
            if isinstance(value, psycopg.OperationalError):
                raise _trouble(value) from value
            if isinstance(value, psycopg.DataError):
                raise _bad_value() from value
        finally:
            self._connection = self._tx = None
            await self._pool.putconn(connection)


class Tx:
    """A running transaction. Rows are dictionaries; placeholders are %s; a literal per cent sign is %% beside any."""

    def __init__(self, connection: AsyncConnection[DictRow]) -> None:
        self._connection = connection
        self.told: list[str] = []

    @property
    def connection(self) -> AsyncConnection[DictRow]:
        """For a library that joins the transaction (procrastinate); it must not commit."""
        return self._connection

    async def fetch_one(self, query: str, params: Params = ()) -> dict[str, Any] | None:
        cursor = await self._connection.execute(query, params or None)
        return await cursor.fetchone()

    async def fetch_all(self, query: str, params: Params = ()) -> list[dict[str, Any]]:
        cursor = await self._connection.execute(query, params or None)
        return await cursor.fetchall()

    async def execute(self, query: str, params: Params = ()) -> int:
        """How many rows were touched."""
        cursor = await self._connection.execute(query, params or None)
        return cursor.rowcount

    async def copy_rows(self, copy_sql: str, rows: Iterable[Sequence[object]]) -> None:
        """COPY ... FROM STDIN, row by row."""
        async with self._connection.cursor() as cursor, cursor.copy(copy_sql) as copy:
            for row in rows:
                await copy.write_row(row)

    async def copy_text(self, copy_sql: str, text: str) -> None:
        """COPY ... FROM STDIN of rows that are text already: a third of the work of `copy_rows` where many rows come."""
        async with self._connection.cursor() as cursor, cursor.copy(copy_sql) as copy:
            await copy.write(text)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What the block did is undone when it raises, also what it meant to tell."""
        told = len(self.told)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self.told[told:]
            raise

    async def notify(self, topic: str, payload: Mapping[str, object]) -> None:
        """Tell every worker of the hub, once this transaction has committed (`cloud.shared.live`): a word that may be lost with
        its process, and may come twice, unless its topic is in `INSIDE`.
        """
        text = json.dumps({"topic": topic, **payload}, separators=(",", ":"), default=str)
        if len(text) > _NOTICE_BYTES:
            raise Stop("notice_too_long", "通知太长", f"a notice on {topic} has {len(text)} bytes")
        self.told.append(text)


async def _connection(pool: type_of_pool) -> AsyncConnection[DictRow]:
    try:
        return await pool.getconn()
    except (PoolTimeout, TooManyRequests, PoolClosed, psycopg.OperationalError) as problem:
        raise _away(problem) from problem


async def _commit(connection: AsyncConnection[DictRow], told: Sequence[str]) -> None:
    """Commit, and tell what may not be lost, in one round trip."""
    if connection.info.transaction_status == TransactionStatus.INERROR:
        # A COMMIT now would quietly roll back what the caller believes is done.
        await _roll_back(connection)
        raise Stop("failed_transaction", "事务已失败，没有提交", "an error inside the transaction was swallowed")
    end = sql.SQL("COMMIT")
    if told:
        parts = [sql.SQL(store.TELL).format(CHANNEL, text) for text in dict.fromkeys(told)]
        end = sql.SQL(store.TELL_AND_COMMIT).format(sql.SQL(", ").join(parts))  # type: ignore[assignment]  # Composed is as good
    try:
        await connection.execute(end)
    except psycopg.OperationalError as problem:
        raise _trouble(problem) from problem
    except psycopg.Error:
        if not connection.broken:
            await _roll_back(connection)
        raise


async def _roll_back(connection: AsyncConnection[DictRow]) -> None:
    try:
        await connection.rollback()
    except psycopg.OperationalError:
        await connection.close()


def _bad_value() -> Refused:
    return Refused("bad_value", "有的数值超出范围", "the database cannot hold a value given")


def _trouble(problem: psycopg.OperationalError) -> Retry:
    if problem.sqlstate in _LOST_RACES:
        return Retry("database_busy", "系统忙，请再试一次", "the transaction lost a race; try again")
    return _away(problem)


def _away(problem: BaseException) -> Retry:
    reason = str(problem).strip().splitlines()
    return Retry(
        "database_away", "数据库暂时连不上，请稍后再试", f"the database does not answer: {reason[0] if reason else problem!r}"
    )
