"""`gatehouse-hub`: serve, migrate, the first administrator, the proof of the books, the counts; sums without a database."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloud.cases import cli as cases
from protocols.errors import GatehouseError, Refused, Stop

if TYPE_CHECKING:
    from cloud.shared.db import Database
    from cloud.shared.settings import Settings

_BROKEN, _REFUSED = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """0 done; 1 the proof found something broken; 2 refused, with the reason on standard error."""
    options = _parser().parse_args(arguments)
    try:
        if "pure" in options:
            return int(options.pure(options))
        from cloud.shared.settings import load

        return int(options.act(options, load()))
    except GatehouseError as problem:
        print(f"{problem.zh}（{problem.en}）", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        return 130


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the database: as the hub, and as its administrator when somebody gave us that."""

    app: str
    admin: str | None = None


@contextmanager
def reach(settings: Settings) -> Iterator[Access]:
    """The database for a command: GATEHOUSE_DSN, or the server of the data folder, started or attached to."""
    from cloud.shared.db import APP
    from cloud.shared.migrate import migrate
    from cloud.shared.server import SUPERUSER, running

    if settings.dsn:
        yield Access(settings.dsn, settings.admin_dsn)
        return
    with running(settings.data) as (place, ours):
        found = Access(place.dsn(APP), place.dsn(SUPERUSER))
        if ours and found.admin:
            migrate(found.admin)
        yield found


@asynccontextmanager
async def database(access: Access, size: int | None = None) -> AsyncIterator[Database]:
    """Opened as the hub's role and no other. Stop `wrong_role`, `not_migrated`."""
    from cloud.shared.db import Database
    from cloud.shared.migrate import behind

    db = await Database.open(access.app, size=size)
    try:
        await db.check_role()
        missing = await behind(db)
        if missing:
            raise Stop(
                "not_migrated",
                "数据库比程序旧：设置 GATEHOUSE_ADMIN_DSN 后运行 gatehouse-hub migrate",
                f"{missing} migrations are missing: set GATEHOUSE_ADMIN_DSN and run `gatehouse-hub migrate`",
            )
        yield db
    finally:
        await db.close()


def run(work: Coroutine[Any, Any, int]) -> int:
    """The event loop, uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from cloud.serving import serve

    return serve(settings)


def _migrate(options: argparse.Namespace, settings: Settings) -> int:
    from cloud.shared.migrate import migrate

    if settings.dsn and not settings.admin_dsn:
        raise Refused("no_admin_dsn", "请设置 GATEHOUSE_ADMIN_DSN", "set GATEHOUSE_ADMIN_DSN", field="GATEHOUSE_ADMIN_DSN")
    with reach(settings) as access:
        assert access.admin is not None
        done = migrate(access.admin, settings.dsn)
    print(json.dumps({"applied": done}))
    return 0


def _create_admin(options: argparse.Namespace, settings: Settings) -> int:
    from cloud.access import service as access
    from cloud.shared.clock import SystemClock

    password = _password()

    async def work(db: Database) -> int:
        made = await access.create_admin(
            db, group=options.group, number=options.number, name=options.name, password=password, at=SystemClock().now()
        )
        print(json.dumps({"id": made, "number": options.number}))
        return 0

    return _with_database(settings, work)


def _password() -> str:
    found = os.environ.get("GATEHOUSE_PASSWORD")
    if found is None:
        found = getpass.getpass("密码: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    return found


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    from cloud import proof

    witnesses = proof.read_witnesses(options.witness, settings.keys)

    async def work(db: Database) -> int:
        report = await proof.verify(db, witnesses, close_key=proof.public_close_key(settings.keys))
        if options.json:
            print(json.dumps(report, ensure_ascii=False))
        elif report["ok"]:
            print(f"账目完整：{report['projects']} 个项目，{report['entries']} 笔分录，链条与收据全部相符")
        else:
            print(f"发现 {len(report['faults'])} 处不符，第一处：{proof.sentence(report['faults'][0])}")
        return 0 if report["ok"] else _BROKEN

    return _with_database(settings, work)


def _rebuild_balances(options: argparse.Namespace, settings: Settings) -> int:
    from cloud import proof

    async def work(db: Database) -> int:
        print(json.dumps({"sums": await proof.rebuild_balances(db)}))
        return 0

    return _with_database(settings, work)


def _counts(options: argparse.Namespace, settings: Settings) -> int:
    from cloud import proof

    async def work(db: Database) -> int:
        print(json.dumps(await proof.counts(db), ensure_ascii=False, indent=None if options.json else 2))
        return 0

    return _with_database(settings, work)


def _with_database(settings: Settings, work: Callable[[Database], Coroutine[Any, Any, int]]) -> int:
    """A command beside a running hub, or alone."""

    async def whole(access: Access) -> int:
        async with database(access, size=2) as db:
            return await work(db)

    with reach(settings) as access:
        return run(whole(access))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gatehouse-hub", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("serve", help="console, box listener and message worker in one process").set_defaults(act=_serve)
    verbs.add_parser("migrate", help="bring the database up to date").set_defaults(act=_migrate)
    admin = verbs.add_parser("create-admin", help="the first administrator; password from GATEHOUSE_PASSWORD or standard input")
    admin.add_argument("--group", required=True, help="name of the group")
    admin.add_argument("--number", required=True, help="work number to log in with")
    admin.add_argument("--name", required=True)
    admin.set_defaults(act=_create_admin)
    for name, act, text in (
        ("verify", _verify, "prove ledger, receipts, events and audit log; exit 1 names the first broken entry"),
        ("counts", _counts, "what the hub has, recounted from its raw rows"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("--json", action="store_true", help="one line of JSON")
        verb.set_defaults(act=act)
    kept = "heads that boxes kept, check codes of papers, signed closes (docs/ledger.md)"
    verbs.choices["verify"].add_argument("--witness", nargs="+", type=Path, default=[], metavar="FILE", help=kept)
    rebuild = verbs.add_parser("rebuild-balances", help="sum up the ledger's days anew from its postings")
    rebuild.set_defaults(act=_rebuild_balances)
    cases.add_verbs(verbs)
    return parser
