"""SQLite's log is folded into the file by a thread of its own: no lane's commit waits for the syncs that this takes (L-06)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

PAGES = 600
"""Roughly so many pages in the log start a folding; a commit does it itself at `schema.LOG_PAGES`."""

PAGES_A_COMMIT, CALLS_A_PAGE = 5, 4
"""What a commit adds to the log, roughly: the rims of tables and indexes, and its events."""


class Folding:
    """`wrote` is told of every commit. Nothing depends on it: a folding that fails or comes late is SQLite's own again."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._pages = 0
        self._due = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="folding", daemon=True)
        self._thread.start()

    def wrote(self, calls: int) -> None:
        """Called in the writer's thread."""
        self._pages += PAGES_A_COMMIT + calls // CALLS_A_PAGE
        if self._pages >= PAGES:
            self._pages = 0
            self._due.set()

    def close(self) -> None:
        """Wait for a folding under way; the connection is closed by then."""
        self._over = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            connection = self._connect()
        except sqlite3.Error as problem:
            log.warning("folding_failed", problem=str(problem))
            return
        try:
            while True:
                self._due.wait()
                self._due.clear()
                if self._over:
                    return
                try:
                    connection.execute("pragma wal_checkpoint(passive)").fetchone()
                except sqlite3.Error as problem:
                    log.warning("folding_failed", problem=str(problem))
        finally:
            connection.close()
