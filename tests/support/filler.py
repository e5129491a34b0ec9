"""A row of two companies in every table that has companies, whatever its columns: no test passes because a table is empty."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

PLACES = {1: 11, 2: 21}
"""company -> one of its projects"""


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    type: str
    needed: bool


def tables(connection: psycopg.Connection) -> dict[str, list[Column]]:
    """Tables with a column company_id, partitions left out: they are reached through their parents."""
    found: dict[str, list[Column]] = {}
    for table, name, kind, needed in connection.execute(
        """
        SELECT c.table_name, c.column_name, c.data_type,
               c.is_nullable = 'NO' AND c.column_default IS NULL AND c.is_identity = 'NO' AND c.is_generated = 'NEVER'
        FROM information_schema.columns c JOIN pg_class k ON k.relname = c.table_name AND k.relnamespace = 'public'::regnamespace
        WHERE c.table_schema = 'public' AND k.relkind IN ('r', 'p') AND NOT k.relispartition
          AND EXISTS (SELECT FROM information_schema.columns x
                      WHERE x.table_schema = 'public' AND x.table_name = c.table_name AND x.column_name = 'company_id')
        ORDER BY c.table_name, c.ordinal_position
        """
    ):
        found.setdefault(table, []).append(Column(table, name, kind, needed))
    return found


def fill(dsn: str) -> list[str]:
    """Drop the tables' own checks and insert a row of each company; the names of the tables."""
    numbers = itertools.count(5_000)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, name in connection.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 AND conislocal"
            " AND connamespace = 'public'::regnamespace"
        ).fetchall():
            connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name)))
        for (table,) in connection.execute("SELECT partrelid::regclass::text FROM pg_partitioned_table").fetchall():
            # Partitions of the days to come are made by a job; here any day will do.
            name = sql.Identifier(f"{table}_any")
            connection.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT").format(name, sql.Identifier(table)))
        found = tables(connection)
        for table, columns in found.items():
            for company, project in PLACES.items():
                _insert(connection, table, columns, company, project, numbers)
    return sorted(found)


def _insert(
    connection: psycopg.Connection, table: str, columns: list[Column], company: int, project: int, numbers: itertools.count[int]
) -> None:
    places = {"company_id": company, "project_id": project}
    wanted = [one for one in columns if one.needed or one.name in places]
    values = [places[one.name] if one.name in places else _value(one.type, next(numbers)) for one in wanted]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(one.name) for one in wanted),
        sql.SQL(", ").join(sql.Placeholder() for _ in wanted),
    )
    connection.execute(statement, values)


def _value(kind: str, number: int) -> object:
    now = datetime.now(UTC)
    values: dict[str, object] = {
        "integer": number,
        "bigint": number,
        "smallint": number % 30_000,
        "numeric": number,
        "text": f"text {number}",
        '"char"': "x",
        "boolean": True,
        "date": now.date(),
        "timestamp with time zone": now,
        "bytea": number.to_bytes(32, "big"),
        "jsonb": Jsonb({}),
        "json": Jsonb({}),
        "ARRAY": [],
        "double precision": 1.0,
        "uuid": f"00000000-0000-0000-0000-{number:012d}",
    }
    return values[kind]


def relations(dsn: str) -> list[str]:
    """Every table and view that shows company_id."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            cast(
                LiteralString,
                "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND column_name = 'company_id' ORDER BY 1",
            )
        ).fetchall()
    return [str(row[0]) for row in rows]
