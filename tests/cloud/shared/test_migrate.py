"""Migrations: once, in order, whole or not at all (DESIGN 4)."""

from __future__ import annotations

import asyncio

import pytest

from cloud.shared.db import Database
from cloud.shared.migrate import FOLDER, behind, migrate, migrations
from protocols.errors import Retry, Stop


@pytest.fixture
def few(tmp_path):
    """The roles and two small migrations of our own."""
    (tmp_path / "0001_roles.sql").write_text((FOLDER / "0001_roles.sql").read_text())
    (tmp_path / "0002_one.sql").write_text("create table one (id int);")
    (tmp_path / "0003_two.sql").write_text("create table two (id int); insert into one values (1);")
    return tmp_path


@pytest.fixture
def bare(pg):
    with pg.database("template0") as name:
        yield pg.superuser(name)


def test_each_migration_is_applied_once(bare, few):
    assert migrate(bare, folder=few) == 3
    assert migrate(bare, folder=few) == 0
    (few / "0004_three.sql").write_text("create table three (id int)")
    assert migrate(bare, folder=few) == 1


async def test_four_at_once_apply_each_once(bare, few):
    done = await asyncio.gather(*(asyncio.to_thread(migrate, bare, None, few) for _ in range(4)))
    assert sorted(done) == [0, 0, 0, 3]


def test_a_failing_migration_leaves_nothing_of_itself(bare, few):
    (few / "0004_bad.sql").write_text("create table bad (id int); insert into nowhere values (1);")
    with pytest.raises(Exception, match="nowhere"):
        migrate(bare, folder=few)
    (few / "0004_bad.sql").write_text("create table bad (id int)")
    assert migrate(bare, folder=few) == 1


def test_a_changed_file_stops(bare, few):
    migrate(bare, folder=few)
    (few / "0002_one.sql").write_text("create table one (id bigint);")
    with pytest.raises(Stop, match="migration_changed"):
        migrate(bare, folder=few)


def test_a_database_newer_than_the_program_stops(bare, few):
    migrate(bare, folder=few)
    (few / "0003_two.sql").unlink()
    with pytest.raises(Stop, match="newer_database"):
        migrate(bare, folder=few)


@pytest.mark.parametrize("name", ["two.sql", "02_two.sql", "0002_again.sql", "0005_Two.sql"])
def test_a_file_without_a_number_of_its_own_stops(few, name):
    (few / name).write_text("select 1")
    with pytest.raises(Stop, match="bad_migration"):
        migrations(few)


def test_no_server_is_a_retry(few):
    with pytest.raises(Retry, match="database_away"):
        migrate("host=/nowhere user=x", folder=few)


async def test_the_hub_sees_that_its_database_is_behind(pg, hub_database, hub_admin):
    db = await Database.open(pg.app(hub_database))
    try:
        assert await behind(db) == 0
        hub_admin.execute("DELETE FROM schema_migrations WHERE number = 90")
        assert await behind(db) == 1
        hub_admin.execute("DROP TABLE schema_migrations")
        assert await behind(db) == len(migrations())
    finally:
        await db.close()


def test_the_apps_password_is_set_from_its_dsn_and_not_kept_in_the_clear(pg, hub_database, hub_admin):
    admin = pg.superuser(hub_database)
    try:
        migrate(admin, pg.app(hub_database) + " password=open-sesame")
        (row,) = hub_admin.fetch("SELECT rolpassword FROM pg_authid WHERE rolname = 'gatehouse_app'")
        assert str(row[0]).startswith("SCRAM-SHA-256$")
    finally:
        hub_admin.execute("ALTER ROLE gatehouse_app PASSWORD NULL")


def test_nothing_runs_as_the_administrator_but_the_roles(hub_admin):
    owners = hub_admin.fetch(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
    )
    assert owners == [("gatehouse_owner",)]
    definers = hub_admin.fetch("SELECT DISTINCT proowner::regrole::text FROM pg_proc WHERE prosecdef AND proname !~ '^pg_'")
    assert ("gatehouse",) not in definers


def test_functions_that_pass_by_row_security_are_the_hubs_alone(hub_admin):
    """SECURITY DEFINER: nobody but gatehouse_app may call them, and their search path is fixed."""
    rows = hub_admin.fetch(
        "SELECT proname, proacl::text, proconfig::text FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    )
    assert len(rows) > 8
    for name, rights, config in rows:
        assert rights is not None and "=X/" not in str(rights).replace("gatehouse_app=X/", "").replace(
            "gatehouse_owner=X/", ""
        ), name
        assert "search_path=public, pg_temp" in str(config), name
