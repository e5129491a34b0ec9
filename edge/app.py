"""The site box: the one place where drivers, storage, clock and services meet (DESIGN 5). The store opens before any source."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from edge.clock import BoxClock, machine_clock
from edge.ports import LaneWires
from edge.services.commands import Commands
from edge.services.documents import DocumentsService
from edge.services.fetching import HubFiles
from edge.services.health import Health
from edge.services.lanes import Lanes
from edge.services.listening import bind, url
from edge.services.manager import Manager
from edge.services.pictures import Pictures
from edge.services.supervise import Supervisor
from edge.settings import Settings, brokers, tls
from edge.storage.schema import STREAMS
from edge.storage.store import Store
from protocols.errors import Refused, Retry, Stop
from protocols.time import iso
from protocols.uplink.commands import Command
from protocols.uplink.events import Boot, ClockJump
from protocols.wiring import LaneConfig

if TYPE_CHECKING:
    from edge.services.uplink import Uplink

log = structlog.get_logger(__name__)

LOOK_S = 1.0
HOUSEKEEP_S = 60.0
REMEMBER_S = 3_600.0
DRAIN_S = 5.0
RESTART_S = 1.0
EVENTS_FIRST = 200


class Box:
    """One run of the box. `run` returns when `stopping` is set, or raises Stop when the store's writer is dead."""

    def __init__(self, settings: Settings, clock: BoxClock | None = None) -> None:
        self._settings = settings
        self._clock = clock or machine_clock()
        data = settings.box.data
        self.store = Store.open(data, settings.box.id, self._clock)
        self._clock.raise_floor(self.store.last_instant())
        self._clock.recall(self.store.state("clock"))
        self._keys = settings.keys()
        secure = settings.hub.url.startswith("https:")
        files = HubFiles(settings.hub.url, tls(settings.hub) if secure else None)
        self._documents = DocumentsService(settings.box.id, self.store, files, self._keys)
        self._pictures = Pictures(data / "pictures", files, may_send=self._events_are_up)
        self.store.room_makers.append(self._pictures.make_room)
        self._supervisor = Supervisor()
        self._manager = Manager()
        self._health = Health(self.store, self._clock, data, self._supervisor.units)
        self._camera_counts: Counter[str] = Counter()
        self._health.parts["pictures"] = lambda: self._pictures.counts + self._camera_counts
        self._line: Uplink | None = None
        self._wires: Callable[[LaneConfig], LaneWires] | None = None
        self._lanes = Lanes(
            self.store, self._documents, self._clock, self._make_wires,
            box=settings.box.id, online=self._online, keep_picture=self._pictures.add,
        )  # fmt: skip
        self.stopping = asyncio.Event()

    async def run(self, ready: Callable[[str, str], None]) -> None:
        """`ready(panel, camera)` is called once the lanes decide; pages answer a moment later."""
        panel, camera = bind(self._settings.panel.listen), bind(self._settings.camera.listen)
        start = self._supervisor.start
        try:
            await self._boot()
            start("lanes", self._lanes.run)
            await self._lanes.ready.wait()
            ready(url(panel), url(camera))
            self._manager.tell("READY=1")
            start("clock", self._watch_clock)
            start("store", self._keep_store)
            start("camera", lambda: self._serve_camera(camera))
            start("panel", lambda: self._serve_panel(panel))
            start("documents", self._documents.run)
            start("uplink", self._uplink)
            start("meters", self._meters)
            start("pictures", self._pictures.run)
            await self._until_stopped()
        finally:
            self._manager.tell("STOPPING=1")
            await self._close()
            panel.close()
            camera.close()

    async def _close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._lanes.drained()
        await self._supervisor.stop()
        await self.store.close()

    async def _boot(self) -> None:
        """Tell that the box came up: the machine (`start`), or only this program (`restart`)."""
        again = self.store.state("boot") == self._clock.boot.encode()
        event = Boot(version=self._health.version, cause="restart" if again else "start")
        try:
            await self.store.append_many([event], {"boot": self._clock.boot.encode()})
        except Retry as problem:
            # A full disk must not keep the lanes from deciding; they have a policy for it.
            log.error("boot_not_stored", code=problem.code)

    async def _until_stopped(self) -> None:
        pause = min(self._manager.watchdog_s or LOOK_S, LOOK_S)
        while not self.stopping.is_set():
            if not self.store.writer_alive:
                raise Stop("store_dead", "事件库的写入线程已经停止", "the store's writer is dead")
            self._manager.tell("WATCHDOG=1")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.stopping.wait()

    # ---- units ----

    async def _watch_clock(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOK_S
        while True:
            await asyncio.sleep(LOOK_S)
            jump = self._clock.look()
            if jump is not None:
                log.warning("clock_jump", jump_ms=jump.jump_ms)
                await self.store.append(ClockJump(before=iso(jump.before), after=iso(jump.after), jump_ms=jump.jump_ms))
            known = self._clock.remember()
            if known is not None and loop.time() >= due:
                due = loop.time() + REMEMBER_S
                await self.store.append_many([], {"clock": known})

    async def _keep_store(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEP_S)
            await self.store.housekeep()

    async def _serve_panel(self, listening: socket.socket) -> None:
        await _load("edge.panel.app", "edge.services.serving")
        from edge.panel.app import panel_app
        from edge.services.serving import serve

        await serve(panel_app(self._lanes, self._documents, self._clock, self._health.read), listening)

    async def _serve_camera(self, listening: socket.socket) -> None:
        await _load("edge.drivers.camera_http", "edge.services.serving")
        from edge.drivers.camera_http import camera_app
        from edge.services.serving import serve

        await serve(camera_app(self._lanes.plate_seen, counts=self._camera_counts), listening)

    async def _uplink(self) -> None:
        await _load("edge.services.uplink")
        from edge.services.uplink import Uplink

        settings = self._settings
        addresses = brokers(settings.broker.addresses)
        commands = Commands(settings.box.id, self.store, self._clock, self._keys, self._command)
        uplink = Uplink(
            self.store, self._clock, settings.box.id, addresses,
            commands=commands, on_manifest=self._documents.offer, health=self._health.read,
            context=tls(settings.broker) if any(address.tls for address in addresses) else None,
        )  # fmt: skip
        self._line = uplink
        self._health.parts["line"] = uplink.report
        try:
            await uplink.run()
        finally:
            uplink.close()

    async def _meters(self) -> None:
        await _load("edge.services.meters")
        from edge.services.meters import Meters

        meters = Meters(self.store, self._documents, self._clock)
        self._health.parts["meters"] = meters.health
        await meters.run()

    # ---- what the hub may ask ----

    async def _command(self, command: Command) -> str:
        if command.name in ("open", "lock", "display"):
            return await self._lanes.command(command)
        if command.name == "resend":
            return await self._resend(command)
        if command.name == "restart":
            if not self._manager.there:
                raise Refused("no_manager", "没有服务管理程序，重启后不会自己起来", "nobody would start this program again")
            asyncio.get_running_loop().call_later(RESTART_S, self.stopping.set)
            return "restarting"
        raise Refused("not_here", "这台盒子没有这个设备", f"nothing here takes {command.name}")

    async def _resend(self, command: Command) -> str:
        """args: `stream`, `epoch`, `from`."""
        stream = next((name for name in STREAMS if name == command.args.get("stream")), None)
        first = command.args.get("from")
        if stream is None or not isinstance(first, int) or first < 1:
            raise Refused("bad_command", "重发命令缺少内容", "resend needs stream, epoch and from")
        assert self._line is not None, "a command came over it"
        return f"from {await self._line.resend(stream, str(command.args.get('epoch', '')), first)}"

    def _online(self) -> bool:
        return self._line is not None and self._line.online

    def _events_are_up(self) -> bool:
        """After an outage events go first (L-32): no more wait than one batch holds."""
        status = self.store.status("money")
        return self._online() and status.seq - status.acked <= EVENTS_FIRST

    def _make_wires(self, config: LaneConfig) -> LaneWires:
        """Only a box with lanes loads the pins' library."""
        if self._wires is None:
            from edge.drivers.gpio_lane import WiresMaker

            self._wires = WiresMaker()
        return self._wires(config)


async def _load(*modules: str) -> None:
    """Import in a thread: reading a library from a slow card must not hold up a lane."""
    for module in modules:
        await asyncio.to_thread(importlib.import_module, module)
