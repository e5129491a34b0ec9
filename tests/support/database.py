"""PostgreSQL as a process to be killed: `python -m tests.support.database FOLDER SOCKETS` runs one until either of them ends.

Durability is on and asserted: a commit that was acknowledged is on the disk.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psycopg

from cloud.shared.migrate import migrate
from cloud.shared.server import SUPERUSER, Server
from tests.support.waiting import gone

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


def main(folder: Path, sockets: Path) -> None:
    server = Server(folder, settings=DURABLE, sockets=sockets)
    place = server.start(wait=20)
    assert place is not None
    with psycopg.connect(place.dsn(SUPERUSER), autocommit=True) as connection:
        for name, value in DURABLE.items():
            row = connection.execute(f"SHOW {name}").fetchone()  # type: ignore[arg-type]  # a constant of this file
            assert row is not None and row[0] == value, name
    migrate(place.dsn(SUPERUSER))
    while not gone(server.pid):
        time.sleep(0.02)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
