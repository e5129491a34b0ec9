"""Thumbnails on their way to the hub: a bounded queue on disk, best effort; events never wait for pictures (DESIGN 2.7, L-32)."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog

from edge.services.fetching import HubFiles
from protocols.errors import Refused, Retry
from protocols.uplink.events import Snapshot

log = structlog.get_logger(__name__)

MAX_BYTES = 40 * 1024
MOST = 500
"""20 MB at the most; beyond it the oldest goes."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 120.0


class Pictures:
    """`add` from the event loop, `make_room` from any thread."""

    def __init__(self, folder: Path, files: HubFiles, *, most: int = MOST, jitter: Callable[[], float] = random.random) -> None:
        self._folder, self._files, self._most, self._jitter = folder, files, most, jitter
        self._news = asyncio.Event()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._news.set()
        self.counts: Counter[str] = Counter()

    def add(self, content: bytes) -> Snapshot:
        """Queue a thumbnail; what its event says about it. Refused `picture_too_large`. A disk that is full drops it."""
        if len(content) > MAX_BYTES:
            raise Refused("picture_too_large", "图片超过 40 kB", f"{len(content)} bytes")
        snapshot = Snapshot(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        waiting = self.waiting()
        for oldest in waiting[: max(0, len(waiting) - self._most + 1)]:
            oldest.unlink(missing_ok=True)
            self.counts["dropped"] += 1
        try:
            (self._folder / snapshot.sha256).write_bytes(content)
        except OSError as problem:
            self.counts["dropped"] += 1
            log.warning("picture_dropped", problem=str(problem))
        self._news.set()
        return snapshot

    def waiting(self) -> list[Path]:
        """Oldest first."""
        return sorted(self._folder.iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def make_room(self) -> bool:
        """The disk is full: pictures go before any event does. Whether there were any."""
        waiting = self.waiting()
        for path in waiting:
            path.unlink(missing_ok=True)
        return bool(waiting)

    async def run(self) -> None:
        """Send what waits, oldest first; what the hub refuses is dropped, while it is away everything waits."""
        pause = FIRST_PAUSE_S
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                for path in self.waiting():
                    await asyncio.to_thread(self._send, path)
                pause = FIRST_PAUSE_S
            except Retry:
                await asyncio.sleep(pause * (0.5 + self._jitter() / 2))
                pause = min(pause * 2, LONGEST_PAUSE_S)
                self._news.set()

    def _send(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
        try:
            self._files.put(f"/box/pictures/{path.name}", content, kind)
            self.counts["sent"] += 1
        except Refused as problem:
            self.counts["refused"] += 1
            log.warning("picture_refused", code=problem.code)
        path.unlink(missing_ok=True)
