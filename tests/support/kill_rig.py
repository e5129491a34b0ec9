"""Everything between a box's store and the hub's table as processes of their own, each of which can be killed at any moment."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from cloud.shared.migrate import APP
from cloud.shared.server import SUPERUSER, Place
from provisioning.cli import main as provision
from tests.support.broker import free_port
from tests.support.load_box import LANE
from tests.support.supervised import Supervised
from tests.support.waiting import wait

BOX = "load-01"
RATE = 500
_WORLD = f"""
    INSERT INTO companies (id, code, name, created_at) VALUES (1, 'hd', '华东公司', now());
    INSERT INTO projects (id, company_id, code, name, kind, created_at) VALUES (11, 1, 'fq', '枫桥雅苑', 'residential', now());
    INSERT INTO boxes (id, company_id, project_id, registered_at, registered_by, claimed_at)
        VALUES ('{BOX}', 1, 11, now(), '1', now());
    INSERT INTO box_streams (box, company_id, project_id, stream) VALUES ('{BOX}', 1, 11, 'money'), ('{BOX}', 1, 11, 'series');
    INSERT INTO box_manifests (box, company_id, project_id) VALUES ('{BOX}', 1, 11);
    INSERT INTO parking_lanes (lane, company_id, project_id, box, name, direction, zone, tariff, config, place)
        VALUES ('{LANE}', 1, 11, '{BOX}', '北门入口', 'in', 'main', 't', '{{}}', 1);
"""


@dataclass
class Rig:
    """`parts`: database, broker, hub, box by name."""

    folder: Path
    parts: dict[str, Supervised] = field(default_factory=dict)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def place(self) -> Place:
        return Place(self.folder / "sockets")

    def start(self) -> None:
        """Database, broker, hub and box, in this order, each watched."""
        sockets = self.place.sockets
        sockets.mkdir(mode=0o777)
        sockets.chmod(0o777)
        self._run("database", ["-m", "tests.support.database", str(self.folder / "pg"), str(sockets)], victim=self._postmaster)
        wait(self._make_world, 40, "the database")
        provision(["ca", str(self.folder / "keys"), "--host", "127.0.0.1"])
        port = free_port()
        self._run("broker", ["-m", "sim.broker", str(port), str(self.folder / "broker")])
        environment = {
            "GATEHOUSE_DSN": self.place.dsn(APP),
            "GATEHOUSE_ADMIN_DSN": self.place.dsn(SUPERUSER),
            "GATEHOUSE_DATA": str(self.folder / "hub"),
            "GATEHOUSE_KEYS": str(self.folder / "keys"),
            "GATEHOUSE_LISTEN": f"127.0.0.1:{free_port()}",
            "GATEHOUSE_BOX_LISTEN": f"127.0.0.1:{free_port()}",
            "GATEHOUSE_BROKER": f"mqtt://127.0.0.1:{port}",
        }
        self._run("hub", [str(Path(sys.executable).with_name("gatehouse-hub")), "serve"], environment)
        self.broker = f"mqtt://127.0.0.1:{port}"
        self.start_box()
        wait(lambda: self.stored() > 0, 60, "the first event at the hub")

    def start_box(self) -> None:
        (self.folder / "box").mkdir(exist_ok=True)
        self._run("box", ["-m", "tests.support.load_box", str(self.folder / "box"), BOX, self.broker, str(RATE)])

    def shoot(self, name: str, times: int, rng: random.Random, gap_s: tuple[float, float] = (0.3, 1.5)) -> None:
        """kill -9 one part at random moments; after each it must have come back and events must flow again."""
        for _ in range(times):
            time.sleep(rng.uniform(*gap_s))
            wait(self.parts[name].kill, 30, f"{name} to kill")
            before = self.stored_or(0)
            wait(lambda before=before: self.stored_or(0) > before, 60, f"events after a kill of {name}")  # type: ignore[misc]

    def drain(self) -> None:
        """The load ends; the box sends until everything is acknowledged."""
        (self.folder / "box" / "over").touch()
        wait(lambda: (self.folder / "box" / "drained").exists(), 120, "the box to drain")
        self.parts["box"].rest()

    def accepted(self) -> set[tuple[str, int]]:
        """(epoch, seq) of every event the store promised to keep."""
        found = set()
        for line in (self.folder / "box" / "accepted").read_text().splitlines():
            epoch, _, seq = line.partition(" ")
            if len(epoch) == 16 and seq.isdigit():
                found.add((epoch, int(seq)))
        return found

    def at_hub(self) -> list[tuple[str, int]]:
        """(epoch, seq) of every row of the hub's event table."""
        with self._admin() as admin:
            rows = admin.execute("SELECT epoch, seq FROM box_events WHERE box = %s AND stream = 'money'", (BOX,)).fetchall()
        return [(row[0], row[1]) for row in rows]

    def stored(self) -> int:
        with self._admin() as admin:
            row = admin.execute("SELECT coalesce(max(seq), 0) FROM box_epochs WHERE box = %s", (BOX,)).fetchone()
        return int(row[0]) if row else 0

    def stored_or(self, away: int) -> int:
        with contextlib.suppress(psycopg.OperationalError):
            return self.stored()
        return away

    def quarantined(self) -> bool:
        with self._admin() as admin:
            row = admin.execute("SELECT quarantined_at IS NOT NULL FROM boxes WHERE id = %s", (BOX,)).fetchone()
        return bool(row and row[0])

    def stop(self) -> None:
        self._stack.close()

    def _run(self, name: str, words: list[str], environment: dict[str, str] | None = None, **more: object) -> None:
        part = Supervised([sys.executable, *words], self.folder / f"{name}.log", environment, **more)  # type: ignore[arg-type]
        self.parts[name] = self._stack.enter_context(part)

    def _postmaster(self) -> int | None:
        try:
            return int((self.folder / "pg" / next_cluster(self.folder / "pg") / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError, StopIteration):
            return None

    def _make_world(self) -> bool:
        try:
            with self._admin() as admin:
                if admin.execute("SELECT 1 FROM companies").fetchone() is None:
                    admin.execute(_WORLD)  # type: ignore[arg-type]  # a constant of this file
        except psycopg.Error:
            return False
        return True

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self.place.dsn(SUPERUSER), autocommit=True, connect_timeout=3)


def next_cluster(folder: Path) -> str:
    return next(path.name for path in folder.iterdir() if path.name.startswith("postgresql-") and path.is_dir())


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    """A running rig in a short folder that `nobody` may enter; kept when the test fails."""
    folder = Path(tempfile.mkdtemp(prefix="gh-kill-"))
    folder.chmod(0o755)
    found = Rig(folder)
    try:
        found.start()
        yield found
    except BaseException:
        found.stop()
        for name in ("database", "broker", "hub", "box"):
            log = folder / f"{name}.log"
            if log.exists():
                print(f"--- {name}: {log.read_text(errors='replace')[-1500:]}")
        raise
    else:
        found.stop()
    finally:
        if not os.environ.get("GATEHOUSE_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
