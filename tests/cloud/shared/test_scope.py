"""A company cannot see another (promise 0.6): with the service's filter gone row security alone holds, on every table."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from cloud.shared.db import Database, Scope
from tests.support.filler import fill, relations

EAST = Scope(frozenset({1}))
NOBODYS = {"payment_notices", "box_bad_messages", "approval_tiers"}
"""Tables with rows of nobody (company_id is null), which everybody may see: a forged notice, the group's approval limits."""


@pytest.fixture
async def filled(money_db, money_admin):
    """`money_db` with a row of both companies in every table."""
    names = fill(money_admin.dsn)
    assert len(names) > 30
    return money_db, names


async def count(db: Database, scope: Scope, relation: str, condition: str) -> int:
    query = sql.SQL("SELECT count(*) AS n FROM {} WHERE " + condition).format(sql.Identifier(relation))  # type: ignore[arg-type]
    async with db.tx(scope) as tx:
        row = await tx.fetch_one(query.as_string())
    assert row is not None
    return int(row["n"])


async def readable(db: Database, relation: str) -> bool:
    async with db.tx(Scope.none()) as tx:
        row = await tx.fetch_one("SELECT has_any_column_privilege(%s, 'SELECT') AS may", (relation,))
    return bool(row and row["may"])


async def test_raw_sql_shows_no_row_of_another_company(filled, money_admin):
    """Every table and view with a company_id, found in the catalogue; each table does hold foreign rows."""
    db, names = filled
    looked = 0
    for relation in relations(money_admin.dsn):
        if not await readable(db, relation):
            continue
        looked += 1
        assert await count(db, EAST, relation, "company_id <> 1") == 0, relation
        if relation not in NOBODYS:
            assert await count(db, EAST, relation, "company_id IS NULL") == 0, relation
        if relation in names:
            assert money_admin.fetch(f"SELECT count(*) FROM {relation} WHERE company_id = 2")[0][0] > 0, relation
            assert await count(db, EAST, relation, "company_id = 1") > 0, relation
    assert looked > 30


async def test_no_scope_means_no_rows(filled, money_admin):
    db, _ = filled
    for relation in relations(money_admin.dsn):
        if await readable(db, relation):
            assert await count(db, Scope.none(), relation, "company_id IS NOT NULL") == 0, relation


async def test_a_scope_of_projects_shows_no_row_of_a_sister_project(filled, money_admin):
    """Y-01: a project's people do not see the company's other projects."""
    db, _ = filled
    scope = Scope(frozenset({1}), frozenset({12}))
    for relation in relations(money_admin.dsn):
        if await readable(db, relation) and money_admin.fetch(
            f"SELECT 1 FROM information_schema.columns WHERE table_name = '{relation}' AND column_name = 'project_id'"
        ):
            assert await count(db, scope, relation, "project_id <> 12") == 0, relation
    assert await count(db, scope, "projects", "id <> 12") == 0
    assert await count(db, Scope(frozenset({1}), frozenset()), "projects", "true") == 0


async def test_every_table_of_a_company_has_forced_row_security(money_admin):
    bare = money_admin.fetch(
        "SELECT k.relname FROM pg_class k WHERE k.relnamespace = 'public'::regnamespace AND k.relkind IN ('r', 'p')"
        " AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.oid AND a.attname = 'company_id')"
        " AND NOT (k.relrowsecurity AND k.relforcerowsecurity)"
        " AND has_any_column_privilege('gatehouse_app', k.oid, 'SELECT')"
    )
    assert bare == []


async def test_views_look_with_the_callers_eyes(money_admin):
    """A view without security_invoker would show what its owner may see: everything."""
    loose = money_admin.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
        " AND NOT coalesce(reloptions::text LIKE '%security_invoker=true%', false)"
    )
    assert loose == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO owners (company_id, project_id, name, created_at) VALUES (2, 21, 'x', now())",
        "UPDATE owners SET name = 'x' WHERE id = 201 RETURNING id",
        "INSERT INTO projects (company_id, code, name, kind, created_at) VALUES (2, 'zz', 'x', 'mall', now())",
    ],
)
async def test_nothing_is_written_for_another_company(money_db, money_admin, statement):
    try:
        async with money_db.tx(EAST) as tx:
            assert await tx.execute(statement) == 0
    except psycopg.errors.InsufficientPrivilege as refused:
        assert "row-level security" in str(refused)
    assert money_admin.fetch("SELECT name FROM owners WHERE id = 201") == [("业主201",)]


async def test_a_scope_ends_with_its_transaction(money_db):
    """The next one on the same pooled connection starts with nothing."""
    async with money_db.tx(EAST) as tx:
        assert await tx.fetch_all("SELECT id FROM projects")
    row = await money_db.call("SELECT count(*) AS n, current_setting('app.companies', true) AS scope FROM projects")
    assert row == {"n": 0, "scope": ""}


GUARDED = (
    "ledger_entries",
    "ledger_postings",
    "audit_log",
    "box_events",
    "box_refused",
    "box_notes",
    "receipts",
    "payment_notices",
)


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize("statement", ["UPDATE {} SET company_id = company_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_ledger_audit_and_events_are_append_only_for_the_hub(money_db, table, statement):
    """Promise 0.2, Y-13, DESIGN 4: as the hub's own role."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with money_db.tx(Scope(frozenset({1, 2}), None, group=True)) as tx:
            await tx.execute(statement.format(table))


@pytest.mark.parametrize("table", ["ledger_entries", "ledger_postings", "audit_log", "box_events"])
async def test_and_for_whoever_owns_the_tables(money_admin, table):
    for statement in ("UPDATE {} SET company_id = company_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            money_admin.execute("SET ROLE gatehouse_owner; " + statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE ledger_entries DISABLE ROW LEVEL SECURITY",
        "DROP POLICY company_scope ON ledger_entries",
        "ALTER TABLE ledger_entries DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "SET ROLE gatehouse_owner",
        "CREATE TABLE mine (id int)",
        "CREATE ROLE mine SUPERUSER",
    ],
)
async def test_the_hub_cannot_give_itself_more(money_db, statement):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.WrongObjectType)):
        async with money_db.tx(EAST) as tx:
            await tx.execute(statement)
