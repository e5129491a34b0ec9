"""An empty hub's first minute (UI.md 17): who can read the server's files makes the first administrator, once."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from datetime import datetime
from pathlib import Path

from cloud.access import store, users
from cloud.access.domain import check_password
from cloud.access.sessions import hash_password
from cloud.shared.db import Database
from protocols.errors import Conflict, NotAllowed

NUMBER = "1000"
"""The work number of the first person."""
_FILE = "first-run.code"


async def empty(db: Database) -> bool:
    """Whether nobody can log in here yet."""
    async with db.tx(await users.everything(db)) as tx:
        return not await store.any_people(tx)


async def offered(db: Database, folder: Path) -> str | None:
    """The code that opens the first page, kept in `folder` for whoever runs the server; None when the hub has people."""
    if not await empty(db):
        return None
    return _code(folder / _FILE)


def _code(path: Path) -> str:
    """Made once, whole or not at all; only its owner reads the file, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(12))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    return path.read_text(encoding="ascii").strip()


async def begin(db: Database, folder: Path, *, code: str, group: str, name: str, password: str, at: datetime) -> int:
    """The first administrator, work number 1000. NotAllowed `wrong_code`; Conflict `already_set_up`; Refused `weak_password`."""
    if not await empty(db):
        raise _done()
    try:
        known = (folder / _FILE).read_bytes().strip()
    except FileNotFoundError:
        known = b""
    if not known or not hmac.compare_digest(known, code.strip().encode()):
        zh = f"首次设置码不对。它在服务器启动时印出的地址里，也在密钥文件夹的 {_FILE} 里"
        raise NotAllowed("wrong_code", zh, "wrong first-run code", field="code")
    check_password(password, NUMBER)
    hashed = await hash_password(password)
    async with db.tx(await users.everything(db)) as tx:
        await store.lock_people(tx)
        if await store.any_people(tx):
            raise _done()
        made = await users.add_admin(tx, group=group, number=NUMBER, name=name, hashed=hashed, at=at, why="first-run")
    (folder / _FILE).unlink(missing_ok=True)
    return made


def _done() -> Conflict:
    return Conflict("already_set_up", "这里已经设置过了，请登录", "the hub has people already")
