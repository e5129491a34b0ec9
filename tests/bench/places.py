"""Where rows run: PostgreSQL on a real disk with fsync on, a broker, hub and boxes as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud.shared.server import Place, Server, find_binaries
from provisioning import ca
from sim.broker import mosquitto
from tests.support.broker import free_port
from tests.support.database import DURABLE
from tests.support.hub import Postgres as Databases
from tests.support.waiting import wait


class Postgres(Databases):
    """The run's server; its databases come from the templates of the tests."""

    def __init__(self, place: Place) -> None:
        self.place = place
        super().__init__(place)


@contextlib.contextmanager
def durable_postgres() -> Iterator[Postgres]:
    """A commit waits for the disk. Its folder can be reached by `nobody`, as whom it runs when we are root."""
    with tempfile.TemporaryDirectory(prefix="gh-bench-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Server(folder, settings=DURABLE)
        place = server.start()
        assert place is not None
        try:
            yield Postgres(place)
        finally:
            server.stop()


def pgbench() -> Path | None:
    """The client of the same binaries, where they brought it along."""
    found = find_binaries().bin / "pgbench"
    return found if found.exists() else None


@dataclass
class Child:
    """A process of ours; what it writes to standard error is kept in `log`."""

    process: subprocess.Popen[str]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self, seconds: float = 60) -> dict[str, Any]:
        """Its first line on standard output, JSON. RuntimeError with its last words when it ends or stays silent."""
        assert self.process.stdout is not None
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise RuntimeError(f"{self.log.stem} did not come up: {self.log.read_text(errors='replace')[-800:]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def cpu_s(self) -> float:
        """CPU it has used, all threads, user and system."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory (VmRSS)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def own_mb(self) -> float:
        """Of that, what no file stands behind: libraries are shared with whoever else has them loaded."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


@contextlib.contextmanager
def child(words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Iterator[Child]:
    """`words`: one of our console commands, or a module of the tests to be run; ended with the block."""
    command = Path(sys.executable).with_name(words[0])
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [str(command), *words[1:]] if command.exists() else [sys.executable, "-m", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield Child(process, log)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Mosquitto where it is installed, else rumqttd; its port."""
    port = free_port()
    with child(["sim.broker", str(port), str(folder / "broker")], folder / "broker.log"):
        wait(lambda: _answers(port), 20, "the broker")
        yield port


BROKER = "Mosquitto" if mosquitto() else "rumqttd (iotcore)"


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


@dataclass
class HubProcess:
    """`gatehouse-hub serve` on a database of the bench."""

    child: Child
    console: str


@contextlib.contextmanager
def hub_process(folder: Path, postgres: Postgres, database: str, broker_port: int | None = None) -> Iterator[HubProcess]:
    keys = folder / "keys"
    ca.create(keys, ["127.0.0.1"], datetime.now(UTC))
    environment = {
        "GATEHOUSE_DSN": postgres.app(database),
        "GATEHOUSE_ADMIN_DSN": postgres.superuser(database),
        "GATEHOUSE_DATA": str(folder / "hub"),
        "GATEHOUSE_KEYS": str(keys),
        "GATEHOUSE_LISTEN": "127.0.0.1:0",
        "GATEHOUSE_BOX_LISTEN": "127.0.0.1:0",
        "GATEHOUSE_BROKER": f"mqtt://127.0.0.1:{broker_port}" if broker_port else "",
    }
    with child(["gatehouse-hub", "serve"], folder / "hub.log", environment) as found:
        yield HubProcess(found, str(found.ready()["console"]))
