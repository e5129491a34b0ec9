"""Desired documents: a newer signed manifest is believed, its bodies fetched, and the box switches when all are there (L-37)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.services.fetching import HubFiles
from edge.storage.store import Store
from protocols.errors import Refused, Retry
from protocols.uplink.documents import DocumentName, Manifest, check_body, open_manifest

log = structlog.get_logger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


class DocumentsService:
    """Implements `edge.ports.Documents`."""

    def __init__(
        self,
        box: str,
        store: Store,
        files: HubFiles,
        keys: Mapping[str, Ed25519PublicKey],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._box, self._store, self._files, self._keys, self._jitter = box, store, files, keys, jitter
        self._callbacks: list[Callable[[frozenset[DocumentName]], None]] = []
        self._wanted: Manifest | None = None
        self._news = asyncio.Event()
        self.refused: Counter[str] = Counter()
        self.trouble: str | None = None

    def current(self, name: DocumentName) -> bytes | None:
        return self._store.document(name)

    def on_change(self, callback: Callable[[frozenset[DocumentName]], None]) -> None:
        self._callbacks.append(callback)

    def offer(self, message: bytes) -> None:
        """A manifest came. What is unsigned, for another box or not newer is counted and changes nothing."""
        held = self._store.manifest
        newest = max(held, (self._wanted.generation, self._wanted.n)) if self._wanted else held
        try:
            self._wanted = open_manifest(message, self._box, newest, self._keys)
        except Refused as problem:
            self.refused[problem.code] += 1
            if problem.code != "not_newer":
                log.warning("manifest_refused", code=problem.code)
            return
        self._news.set()

    async def run(self) -> None:
        """Switch to the newest manifest; while the hub is away try again, and drop an old one as soon as a newer comes."""
        pause = FIRST_PAUSE_S
        while True:
            await self._news.wait()
            self._news.clear()
            manifest = self._wanted
            if manifest is None:
                continue
            try:
                await self._switch(manifest)
            except (Refused, Retry) as problem:
                self.trouble = problem.code
                self.refused[problem.code] += 1
                log.warning("documents_wait", generation=manifest.generation, n=manifest.n, problem=str(problem))
                await self._rest(pause * (0.5 + self._jitter() / 2))
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            self.trouble, pause = None, FIRST_PAUSE_S
            if self._wanted is manifest:
                self._wanted = None

    async def _switch(self, manifest: Manifest) -> None:
        bodies: dict[str, bytes] = {}
        for ref in manifest.documents:
            if ref.sha256 in bodies or self._store.document_hash(ref.name) == ref.sha256:
                continue
            body = await asyncio.to_thread(self._files.get, f"/box/documents/{ref.sha256}", ref.size)
            bodies[ref.sha256] = check_body(ref, body)
            if self._wanted is not manifest:
                return
        changed = await self._store.switch(manifest, bodies)
        log.info("documents_switched", generation=manifest.generation, n=manifest.n, changed=sorted(changed))
        for callback in self._callbacks:
            callback(changed)

    async def _rest(self, seconds: float) -> None:
        """Until it is time to try again, or a newer manifest is there."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            self._news.set()
