"""Numbered migrations: each file once, in order, in a transaction of its own, under an advisory lock (DESIGN 4)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cloud.shared.db import APP, Database
from protocols.errors import Retry, Stop

FOLDER = Path(__file__).parent / "migrations"
OWNER = "gatehouse_owner"
_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_LOCK = 7_410_001
_ROLES = 1
"""The migration that makes the roles runs as the administrator, all others as the owner."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """All migrations in order. Stop `bad_migration` for a strange name or a number given twice."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None or int(match[1]) in found:
            raise Stop("bad_migration", f"迁移文件 {path.name} 的编号不对", f"{path.name} has no number of its own")
        found[int(match[1])] = Migration(int(match[1]), match[2], path.read_text(encoding="utf-8"))
    return [found[number] for number in sorted(found)]


def migrate(admin_dsn: str, app_dsn: str | None = None, folder: Path = FOLDER) -> int:
    """Bring a database up to date; how many migrations were applied. The password in `app_dsn` becomes that of `gatehouse_app`.

    Stop `migration_changed` when an applied file differs from the one here, `newer_database` when the database knows more
    than this program; Retry `database_away`.
    """
    known = migrations(folder)
    try:
        with psycopg.connect(admin_dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            applied = _apply(connection, known)
            _set_password(connection, app_dsn)
            return applied
    except psycopg.OperationalError as problem:
        raise Retry("database_away", "数据库连不上", f"the database does not answer: {problem}") from problem


async def behind(db: Database, folder: Path = FOLDER) -> int:
    """How many migrations a database lacks, asked as the hub's role."""
    there = await db.call("SELECT to_regclass('schema_migrations') IS NOT NULL AS there")
    if not (there and there["there"]):
        return len(migrations(folder))
    row = await db.call("SELECT array_agg(number) AS numbers FROM schema_migrations")
    done = set((row or {}).get("numbers") or ())
    return sum(one.number not in done for one in migrations(folder))


def _apply(connection: psycopg.Connection, known: list[Migration]) -> int:
    done = _done(connection)
    strange = set(done) - {one.number for one in known}
    if strange:
        raise Stop("newer_database", "数据库比程序新", f"unknown migrations in the database: {sorted(strange)}")
    count = 0
    for one in known:
        if one.number in done:
            if done[one.number] != one.sha256:
                raise Stop(
                    "migration_changed", f"迁移 {one.number:04d} 与已执行的不同", f"migration {one.number:04d} was changed since"
                )
            continue
        with connection.transaction():
            if one.number != _ROLES:
                connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(OWNER)))
            connection.execute(one.text)
            connection.execute("RESET ROLE")
            connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES (%s, %s, %s)", (one.number, one.name, one.sha256)
            )
        count += 1
    return count


def _done(connection: psycopg.Connection) -> dict[int, str]:
    connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
        """
    )
    return dict(connection.execute("SELECT number, sha256 FROM schema_migrations").fetchall())


def _set_password(connection: psycopg.Connection, app_dsn: str | None) -> None:
    """The app's role logs in with the password its DSN holds; sent as a SCRAM verifier, never in the clear."""
    password = conninfo_to_dict(app_dsn).get("password") if app_dsn else None
    if not password:
        return
    verifier = connection.pgconn.encrypt_password(str(password).encode(), APP.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(APP), verifier))
