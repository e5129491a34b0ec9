"""The box's memory: events, state, documents, witnesses; one file that survives a power cut (DESIGN 2.1, 2.2, L-32, L-33)."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import structlog

from edge.ports import Clock
from edge.storage import held, lines, outbox, schema
from edge.storage.folding import Folding
from edge.storage.lines import Tip
from edge.storage.reserve import BYTES, Reserve
from edge.storage.writer import Change, Writer, WriterHealth
from protocols.errors import Refused, Retry, Stop
from protocols.time import ClockQuality, iso
from protocols.uplink.acks import Head
from protocols.uplink.documents import DocumentName, Manifest
from protocols.uplink.envelope import Stream
from protocols.uplink.events import Body, DocumentsSet

log = structlog.get_logger(__name__)

MONEY_EVENTS = 500_000
SERIES_AGE = timedelta(days=90)
WITNESS_EVERY_MS = 30_000
"""A head per project and half minute: history cannot be rewritten unseen for longer than a minute."""


@dataclass(frozen=True, slots=True)
class _Files:
    folder: Path
    lock: IO[bytes]
    writing: sqlite3.Connection
    reserve: Reserve


@dataclass
class _StreamState:
    epoch: str
    acked: int
    tip: Tip
    dirty: bool = False
    too_old: bool = False


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """`hash` is of the newest line, `acked` the newest seq known to be committed at the hub."""

    epoch: str
    seq: int
    hash: str
    acked: int


class Store:
    """Implements `edge.ports.Journal`. All methods belong to the event loop's thread; one writer thread commits."""

    def __init__(self, box: str, clock: Clock, files: _Files, *, threaded: bool) -> None:
        self._box, self._clock, self._files = box, clock, files
        writing = files.writing
        self._streams: dict[Stream, _StreamState] = {}
        for stream in schema.STREAMS:
            epoch, acked = outbox.read_stream(writing, stream)
            self._streams[stream] = _StreamState(epoch, acked, lines.read_tip(writing, stream, box, epoch))
        self._state: dict[str, bytes] = dict(writing.execute("select key, value from state").fetchall())
        self._held, self._bodies = held.read_held(writing)
        self._reader = schema.connect_reader(files.folder)
        self._reading = threading.Lock()
        self._witnessed: dict[int, int] = {}
        self.witness_conflicts = 0
        self.room_makers: list[Callable[[], bool]] = []
        """Asked in the writer's thread when the disk is full, before the reserve is given up: pictures go first."""
        self.on_events: list[Callable[[], None]] = []
        """Called in the event loop after events were committed."""
        tips = {stream: state.tip for stream, state in self._streams.items()}
        folding = Folding(lambda: schema.connect_folder(files.folder)) if threaded else None
        self._writer = Writer(writing, tips, self._make_room, threaded=threaded, folding=folding)

    @classmethod
    def open(
        cls,
        folder: Path,
        box: str,
        clock: Clock,
        *,
        new_epoch: Callable[[], str] = lambda: secrets.token_hex(8),
        reserve_bytes: int = BYTES,
        threaded: bool = True,
    ) -> Store:
        """Open or make the store in `folder`.

        Stop `store_corrupt`, `store_newer`, `store_foreign`, `store_of_other_box`, `store_in_use`: then nothing was changed.
        """
        lock = schema.lock(folder)
        try:
            writing = schema.open_file(folder, box, new_epoch)
            store = cls(box, clock, _Files(folder, lock, writing, Reserve(folder, reserve_bytes)), threaded=threaded)
        except sqlite3.DatabaseError as problem:
            lock.close()
            if isinstance(problem, sqlite3.OperationalError):
                raise Stop("store_unreadable", "事件库打不开，检查存储卡", f"cannot open the store: {problem}") from None
            raise lines.corrupt(str(problem)) from None
        except Stop:
            lock.close()
            raise
        store._files.reserve.keep()
        return store

    async def close(self) -> None:
        """Store what waits, remember acknowledgements, let the file go."""
        try:
            await self.flush()
        except Retry:
            log.warning("acknowledgements_not_written")
        # The writer goes last: only then does SQLite fold its log into the file.
        self._reader.close()
        self._writer.close()
        self._files.lock.close()

    # ---- Journal ----

    async def append(self, body: Body) -> int:
        return (await self.append_many([body]))[0]

    async def append_many(self, bodies: Sequence[Body], state: Mapping[str, bytes | None] | None = None) -> list[int]:
        drafts = [lines.draft(body, self._clock) for body in bodies]
        changes = dict(state or {})
        self._check_bounds(drafts)
        return await self._writer.submit(lambda change: self._store(change, drafts, changes))

    def state(self, key: str) -> bytes | None:
        return self._state.get(key)

    def states(self, prefix: str) -> dict[str, bytes]:
        return {key: value for key, value in self._state.items() if key.startswith(prefix)}

    def last_instant(self) -> datetime | None:
        known = [state.tip.at for state in self._streams.values() if state.tip.at is not None]
        return max(known, default=None)

    def _check_bounds(self, drafts: Sequence[lines.Draft]) -> None:
        money = self._streams["money"]
        if any(draft.stream == "money" for draft in drafts) and money.tip.seq - money.acked >= MONEY_EVENTS:
            raise _bound(f"{MONEY_EVENTS} events wait for the hub")
        if self._streams["series"].too_old and any(draft.stream == "series" for draft in drafts):
            raise _bound(f"readings wait for the hub since {SERIES_AGE.days} days")

    def _store(self, change: Change, drafts: Sequence[lines.Draft], state: Mapping[str, bytes | None]) -> list[int]:
        """Runs in the writer's thread."""
        seqs = []
        for draft in drafts:
            epoch = self._streams[draft.stream].epoch
            raw, tip = lines.place(draft, self._box, epoch, change.tips[draft.stream])
            change.connection.execute(f"insert into {schema.TABLES[draft.stream]} values (?, ?)", (tip.seq, raw))
            change.tips[draft.stream] = tip
            seqs.append(tip.seq)
        for key, value in state.items():
            if value is None:
                change.connection.execute("delete from state where key = ?", (key,))
            else:
                change.connection.execute("insert or replace into state values (?, ?)", (key, value))
        tips = dict(change.tips)
        change.after.append(lambda: self._stored(tips, state, bool(seqs)))
        return seqs

    def _stored(self, tips: Mapping[Stream, Tip], state: Mapping[str, bytes | None], events: bool) -> None:
        for stream, tip in tips.items():
            self._streams[stream].tip = tip
        for key, value in state.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        if events:
            for callback in self.on_events:
                callback()

    # ---- outbox ----

    def status(self, stream: Stream) -> StreamStatus:
        state = self._streams[stream]
        return StreamStatus(state.epoch, state.tip.seq, state.tip.hash, state.acked)

    def batch(self, stream: Stream, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Committed lines beyond `after`: [(seq, line)]. May be called from any thread."""
        with self._reading:
            return outbox.lines_after(self._reader, stream, after, limit, max_bytes)

    def acknowledged(self, stream: Stream, epoch: str, through: int) -> bool:
        """The hub has committed everything up to `through`; False when that was known or is of another epoch.

        It reaches the disk with the next `flush`: an acknowledgement that a power cut loses costs only a repetition.
        Stop `hub_ahead`: the hub knows events of this epoch that this box does not: this store is an old copy.
        """
        state = self._streams[stream]
        if epoch != state.epoch or through <= state.acked:
            return False
        if through > state.tip.seq:
            detail = f"the hub has {stream} {through}, the box {state.tip.seq}"
            raise Stop("hub_ahead", "总部的记录比盒子多，盒子的数据可能是旧备份", detail)
        state.acked, state.dirty = through, True
        return True

    async def resend_from(self, stream: Stream, epoch: str, seq: int) -> int:
        """The hub lost what it had acknowledged from `seq` on; the seq the box can send from, later if events were pruned."""
        state = self._streams[stream]
        if epoch != state.epoch:
            return state.acked + 1
        with self._reading:
            oldest = outbox.oldest_kept(self._reader, stream)
        start = max(seq, oldest or seq)
        if start - 1 < state.acked:
            state.acked, state.dirty = start - 1, True
            await self.flush()
        return start

    async def flush(self) -> None:
        """Write acknowledgements down. Retry `store_unavailable`."""
        dirty = {stream: state.acked for stream, state in self._streams.items() if state.dirty}
        if not dirty:
            return
        at = self._clock.wall().at

        def work(change: Change) -> None:
            for stream, acked in dirty.items():
                outbox.write_acked(change.connection, stream, acked, at)

        await self._writer.submit(work)
        for stream, acked in dirty.items():
            if self._streams[stream].acked == acked:
                self._streams[stream].dirty = False

    async def witness(self, heads: Sequence[Head]) -> None:
        """Keep ledger heads append-only, at most one per project and half minute."""
        now = self._clock.mono_ms()
        due = [head for head in heads if now - self._witnessed.get(head.project, -WITNESS_EVERY_MS) >= WITNESS_EVERY_MS]
        if not due:
            return
        self._witnessed.update({head.project: now for head in due})
        at = iso(self._clock.wall().at)
        agreed = await self._writer.submit(lambda change: [outbox.add_witness(change.connection, head, at) for head in due])
        self.witness_conflicts += agreed.count(False)

    async def housekeep(self) -> None:
        """Once a minute: prune in small steps, look at the bounds, take the reserve back when there is room."""
        self._files.reserve.keep()
        at = self._clock.wall()
        with self._reading:
            oldest = outbox.waiting_since(self._reader, "series", self._streams["series"].acked)
        self._streams["series"].too_old = oldest is not None and at.at - oldest > SERIES_AGE
        if at.quality is ClockQuality.UNCERTAIN:
            # A wrong clock must not make young events look old.
            return
        for stream, state in self._streams.items():
            await self._prune(stream, state.tip.seq, at.at)

    async def _prune(self, stream: Stream, tip: int, at: datetime) -> None:
        keep = MONEY_EVENTS if stream == "money" else 10 * MONEY_EVENTS
        while await self._writer.submit(lambda change: outbox.prune(change.connection, stream, at, tip, keep)):
            pass

    # ---- documents ----

    @property
    def manifest(self) -> tuple[int, int]:
        """(generation, n) of the manifest in force, (0, 0) for none."""
        return self._held

    def document_hash(self, name: DocumentName) -> str | None:
        return self._bodies.get(name)

    def document(self, name: DocumentName) -> bytes | None:
        sha256 = self._bodies.get(name)
        if sha256 is None:
            return None
        with self._reading:
            return held.read_body(self._reader, sha256)

    async def switch(self, manifest: Manifest, bodies: Mapping[str, bytes]) -> frozenset[DocumentName]:
        """Hold what the manifest names and report it, in one transaction; the names whose bodies changed. `bodies` by sha256."""
        wanted: dict[DocumentName, str] = {document.name: document.sha256 for document in manifest.documents}
        missing = set(wanted.values()) - set(bodies) - set(self._bodies.values())
        if missing:
            raise Refused("body_missing", "文件还没有到齐", f"bodies missing: {', '.join(sorted(missing))}")
        if any(hashlib.sha256(body).hexdigest() != sha256 for sha256, body in bodies.items()):
            raise Refused("wrong_body", "文件内容和清单不符", "a body does not match its hash")
        report = lines.draft(DocumentsSet(generation=manifest.generation, n=manifest.n), self._clock)

        def work(change: Change) -> None:
            held.switch(change.connection, manifest, bodies)
            self._store(change, [report], {})

        await self._writer.submit(work)
        before, self._bodies = self._bodies, wanted
        self._held = (manifest.generation, manifest.n)
        return frozenset(name for name in held.NAMES if before.get(name) != wanted.get(name))

    # ---- condition ----

    @property
    def writer_health(self) -> WriterHealth:
        return self._writer.health

    @property
    def writer_alive(self) -> bool:
        return self._writer.alive

    @property
    def reserve_held(self) -> bool:
        return self._files.reserve.held

    def _make_room(self) -> bool:
        return any(maker() for maker in self.room_makers) or self._files.reserve.give_up()


def _bound(detail: str) -> Retry:
    return Retry("store_unavailable", "未上传的事件太多，事件库不再接收", detail, full=True)


def read_status(folder: Path) -> dict[str, object]:
    """What the file says, also while the box runs or is dead: {"box", stream: {"epoch", "seq", "hash", "acked"}}."""
    connection = schema.connect_reader(folder)
    try:
        (box,) = connection.execute("select id from box").fetchone()
        found: dict[str, object] = {"box": box}
        for stream in schema.STREAMS:
            epoch, acked = outbox.read_stream(connection, stream)
            tip = lines.read_tip(connection, stream, box, epoch)
            found[stream] = {"epoch": epoch, "seq": tip.seq, "hash": tip.hash, "acked": acked}
        return found
    except sqlite3.DatabaseError as problem:
        raise lines.corrupt(str(problem)) from None
    finally:
        connection.close()
