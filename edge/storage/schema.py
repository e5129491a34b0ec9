"""The store's file: its tables, how it is opened, and what is refused before anything is believed (L-32, L-33)."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import IO

from protocols.errors import Stop
from protocols.uplink.envelope import Stream

FILE = "box.db"
LOCK = "box.lock"
STREAMS: tuple[Stream, ...] = ("money", "series")
TABLES: dict[str, str] = {"money": "event_money", "series": "event_series"}

LOG_PAGES = 3_000
"""So long SQLite's log may grow before a commit folds it by itself: `folding` comes long before."""

_APPLICATION = 0x47484F55
_VERSION = 1

_TABLES = """
create table box (id text primary key) without rowid;
create table stream (name text primary key, epoch text not null, acked integer not null) without rowid;
create table event_money (seq integer primary key, line blob not null);
create table event_series (seq integer primary key, line blob not null);
create table acked_mark (stream text not null, through integer not null, at_ms integer not null);
create table state (key text primary key, value blob not null) without rowid;
create table held (one integer primary key check (one = 1), generation integer not null, n integer not null);
create table held_document (name text primary key, sha256 text not null) without rowid;
create table document (sha256 text primary key, body blob not null);
create table witness (
    id integer primary key, project integer not null, seq integer not null, hash text not null, at text not null
);
create index witness_place on witness (project, seq);
create trigger witness_stays before update on witness begin select raise(abort, 'witnesses are never changed'); end;
create trigger witness_is_kept before delete on witness begin select raise(abort, 'witnesses are never deleted'); end;
"""


def open_file(folder: Path, box: str, new_epoch: Callable[[], str]) -> sqlite3.Connection:
    """The writing connection: WAL, and every commit waits for the disk. A new store is made where there is none.

    Stop `store_newer` (written by a later release), `store_foreign` (another program's file), `store_of_other_box`: then the file
    is untouched. sqlite3.DatabaseError when it is damaged.
    """
    connection = sqlite3.connect(folder / FILE, isolation_level=None, check_same_thread=False, cached_statements=64)
    try:
        new = _check(connection, folder, box)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma temp_store = memory")
        connection.execute("pragma cache_size = -1024")
        connection.execute("pragma journal_size_limit = 16777216")
        connection.execute(f"pragma wal_autocheckpoint = {LOG_PAGES}")
        if new:
            _create(connection, box, new_epoch)
            _sync_folder(folder)
    except (Stop, sqlite3.Error):
        connection.close()
        raise
    return connection


def connect_folder(folder: Path) -> sqlite3.Connection:
    """A connection that folds the log into the file, beside the writing one."""
    connection = sqlite3.connect(folder / FILE, isolation_level=None, check_same_thread=False)
    connection.execute("pragma synchronous = full")
    connection.execute("pragma cache_size = -64")
    return connection


def connect_reader(folder: Path) -> sqlite3.Connection:
    """A connection that can change nothing, also beside a running box. Stop `no_store` when there is none."""
    path = folder / FILE
    if not path.exists():
        raise Stop("no_store", "这台盒子还没有事件库", f"no store at {path}")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("pragma cache_size = -512")
    return connection


def lock(folder: Path) -> IO[bytes]:
    """Hold the store while the returned file is open. Stop `store_in_use`: two writers would fork the chain."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Stop("store_in_use", "盒子程序已经在运行", f"another process holds {folder}") from None
    return file


def set_aside(folder: Path) -> Path:
    """Move the store's files into a folder of their own, on a person's word only; the next start makes a new store.

    Stop `store_in_use` while the box runs, `no_store` when there is none.
    """
    if not (folder / FILE).exists():
        raise Stop("no_store", "这台盒子还没有事件库", f"no store in {folder}")
    with lock(folder):
        number = next(number for number in count(1) if not (folder / f"aside-{number}").exists())
        aside = folder / f"aside-{number}"
        aside.mkdir()
        for path in sorted(folder.glob(f"{FILE}*")):
            path.rename(aside / path.name)
        _sync_folder(folder)
    return aside


def _check(connection: sqlite3.Connection, folder: Path, box: str) -> bool:
    """Whether the file is new; Stop when it is not ours."""
    version = connection.execute("pragma user_version").fetchone()[0]
    application = connection.execute("pragma application_id").fetchone()[0]
    empty = not connection.execute("select count(*) from sqlite_master").fetchone()[0]
    if empty and not version and not application:
        return True
    if application != _APPLICATION:
        raise Stop("store_foreign", "事件库文件不是本系统的", f"{folder / FILE} was not made by a site box")
    if version != _VERSION:
        raise Stop("store_newer", "事件库由更新的版本写成，请先升级", f"store version {version}, this release knows {_VERSION}")
    (owner,) = connection.execute("select id from box").fetchone() or ("",)
    if owner != box:
        raise Stop("store_of_other_box", "事件库属于另一台盒子", f"store belongs to {owner}, this box is {box}")
    return False


def _create(connection: sqlite3.Connection, box: str, new_epoch: Callable[[], str]) -> None:
    epochs = "".join(f"insert into stream values ('{name}', '{new_epoch()}', 0);" for name in STREAMS)
    connection.executescript(f"begin immediate; {_TABLES} {epochs} pragma application_id = {_APPLICATION};")
    connection.execute("insert into box values (?)", (box,))
    connection.execute(f"pragma user_version = {_VERSION}")
    connection.execute("commit")


def _sync_folder(folder: Path) -> None:
    # SQLite syncs the folder for its journals only; without this a new store's name could vanish with the power.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
