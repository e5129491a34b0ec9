"""Thumbnails on their way to the hub: a bounded queue on disk, best effort; events never wait for pictures (DESIGN 2.7, L-32)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections import Counter, deque
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
MOST_IN_HAND = 8
"""So many wait in memory for the disk; beyond it, or with the disk full, a picture is dropped."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 120.0
LOOK_S = 1.0
"""How often to ask whether the events are through."""
_UNFINISHED = ".part"


class Pictures:
    """`add` from the event loop, `make_room` from any thread. `counts`: sent, dropped (no room), refused (by the hub), spoilt.

    `may_send` says whether it is the pictures' turn: after an outage the events go first.
    """

    def __init__(
        self,
        folder: Path,
        files: HubFiles,
        *,
        most: int = MOST,
        jitter: Callable[[], float] = random.random,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._folder, self._files, self._most, self._jitter, self._may_send = folder, files, most, jitter, may_send
        self._in_hand: deque[tuple[str, bytes]] = deque()
        self._given = asyncio.Event()
        self._news = asyncio.Event()
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob(f"*{_UNFINISHED}"):
            path.unlink(missing_ok=True)
        self._news.set()
        self.counts: Counter[str] = Counter()

    def add(self, content: bytes) -> Snapshot:
        """Take a thumbnail; what its event says about it. Touches no disk: `run` writes it down. Refused `picture_too_large`."""
        if len(content) > MAX_BYTES:
            raise Refused("picture_too_large", "图片超过 40 kB", f"{len(content)} bytes")
        snapshot = Snapshot(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        if len(self._in_hand) >= MOST_IN_HAND:
            self._drop("the disk is too slow")
        else:
            self._in_hand.append((snapshot.sha256, content))
            self._given.set()
        return snapshot

    def waiting(self) -> list[Path]:
        """Those on the disk, oldest first."""
        found = []
        for path in self._folder.iterdir():
            try:
                if path.suffix != _UNFINISHED:
                    found.append((path.stat().st_mtime_ns, path.name, path))
            except FileNotFoundError:
                continue
        return [path for _, _, path in sorted(found)]

    def make_room(self) -> bool:
        """The disk is full: pictures go before any event does. Whether there were any."""
        waiting = self.waiting()
        for path in waiting:
            path.unlink(missing_ok=True)
        return bool(waiting)

    async def run(self) -> None:
        """Write down what is given and send it, both in threads. Until cancelled; what is in hand then is written down."""
        writing = asyncio.create_task(self._write_all())
        try:
            await self._send_all()
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            while self._in_hand:
                self._write(*self._in_hand.popleft())

    async def _write_all(self) -> None:
        while True:
            await self._given.wait()
            self._given.clear()
            while self._in_hand:
                await asyncio.to_thread(self._write, *self._in_hand[0])
                self._in_hand.popleft()
                self._news.set()

    def _write(self, sha256: str, content: bytes) -> None:
        """Under its name only when it is whole. A disk that is full drops it."""
        fresh = self._folder / f"{sha256}{_UNFINISHED}"
        try:
            waiting = self.waiting()
            for oldest in waiting[: max(0, len(waiting) - self._most + 1)]:
                oldest.unlink(missing_ok=True)
                self._drop("too many wait")
            fresh.write_bytes(content)
            fresh.replace(self._folder / sha256)
        except OSError as problem:
            self._drop(str(problem))
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)

    def _drop(self, why: str) -> None:
        self.counts["dropped"] += 1
        log.warning("picture_dropped", problem=why)

    async def _send_all(self) -> None:
        """Oldest first; what the hub refuses is dropped, while it is away everything waits."""
        pause = FIRST_PAUSE_S
        while True:
            await self._news.wait()
            if not self._may_send():
                await asyncio.sleep(LOOK_S)
                continue
            self._news.clear()
            try:
                for path in await asyncio.to_thread(self.waiting):
                    if not self._may_send():
                        self._news.set()
                        break
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
        if hashlib.sha256(content).hexdigest() != path.name:
            self.counts["spoilt"] += 1
            path.unlink(missing_ok=True)
            return
        try:
            self._files.put(f"/box/pictures/{path.name}", content, kind)
            self.counts["sent"] += 1
        except Refused as problem:
            self.counts["refused"] += 1
            log.warning("picture_refused", code=problem.code)
        path.unlink(missing_ok=True)
