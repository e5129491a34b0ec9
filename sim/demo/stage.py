"""The demo's stage: broker, hub and boxes as processes, sites and lines between them; started in order, stopped together."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx

from protocols.errors import Refused
from sim.demo.processes import Child, command
from sim.network import Link, Relay

NEEDED_BYTES = 600 * 1024 * 1024


@dataclass
class Box:
    """A site box as a process, with its own lines to broker and hub that can be cut."""

    name: str
    folder: Path
    mqtt: Relay
    https: Relay
    child: Child
    pins: Path
    panel: str = ""
    camera: str = ""

    def link(self, state: Link) -> None:
        """Cut or restore everything between this site and the world."""
        self.mqtt.set(state)
        self.https.set(state)

    async def start(self) -> dict[str, Any]:
        self.child.start()
        ready = await self.child.ready(30)
        self.panel, self.camera = ready["panel"], ready["camera"]
        return ready


@dataclass
class Stage:
    """`folder` keeps everything a second start needs."""

    folder: Path
    port: int
    hub_url: str = ""
    box_url: str = ""
    boxes: dict[str, Box] = field(default_factory=dict)
    hub_environment: dict[str, str] = field(default_factory=dict)
    _broker_port: int = 0
    _children: list[Child] = field(default_factory=list)
    _relays: list[Relay] = field(default_factory=list)
    _lock: TextIO | None = None

    @property
    def sockets(self) -> Path:
        """A short path (socket names have 107 bytes), the same at every start, so that nothing stale piles up."""
        name = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"gh-{os.getuid()}-{name}"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def claim_folder(self) -> None:
        """Take the folder for this process. Refused `demo_running` while another demo has it, `port_busy`, `disk_full`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(
                "demo_running",
                f"{self.folder} 里已经有一个演示在运行，先按 Ctrl-C 结束它",
                f"a demo is already running in {self.folder}; end it with Ctrl-C first",
            ) from None
        self._check_room()

    async def start_hub(self, environment: Mapping[str, str]) -> None:
        """CA and keys on the first start, then broker and hub."""
        await self._make_keys()
        self._broker_port = free_port()
        line = [python(), "-m", "sim.broker", str(self._broker_port), str(self.folder / "broker")]
        broker = Child("broker", line, self.log("broker"))
        broker.start()
        self._children.append(broker)
        await wait_for_port(self._broker_port, 20)
        settings = {
            "GATEHOUSE_DATA": str(self.folder / "hub"),
            "GATEHOUSE_KEYS": str(self.keys),
            "GATEHOUSE_LISTEN": f"127.0.0.1:{self.port}",
            "GATEHOUSE_BOX_LISTEN": "127.0.0.1:0",
            "GATEHOUSE_BROKER": f"mqtt://127.0.0.1:{self._broker_port}",
            "GATEHOUSE_DEMO": "1",
            **environment,
        }
        self.hub_environment = settings
        self.hub = Child("hub", [command("gatehouse-hub"), "serve"], self.log("hub"), settings)
        self.hub.start()
        self._children.append(self.hub)
        ready = await self.hub.ready(90)
        self.hub_url, self.box_url = ready["console"], ready["boxes"]

    async def add_box(self, name: str) -> Box:
        """Lines and folder of a box; it is not started and may have to be claimed first."""
        mqtt = Relay("127.0.0.1", self._broker_port)
        https = Relay("127.0.0.1", int(self.box_url.rsplit(":", 1)[1]))
        for relay in (mqtt, https):
            await relay.start()
            self._relays.append(relay)
        folder = self.folder / "boxes" / name
        folder.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        pins = self.sockets / f"{name}.pins"
        child = Child(
            name,
            [command("gatehouse-edge"), "run", "--config", str(folder / "box.toml")],
            self.log(name),
            {"GATEHOUSE_SIM_PINS": str(pins)},
        )
        self._children.append(child)
        self.boxes[name] = Box(name, folder, mqtt, https, child, pins)
        return self.boxes[name]

    async def box_status(self, name: str) -> dict[str, Any]:
        """What the box itself says it has recorded: epochs, sequence numbers, hashes."""
        config = self.boxes[name].folder / "box.toml"
        found: dict[str, Any] = json.loads(await self.run("gatehouse-edge", "status", "--config", str(config), "--json"))
        return found

    async def counts(self) -> dict[str, Any]:
        """What the hub has, recounted from its raw rows."""
        found: dict[str, Any] = json.loads(await self.run("gatehouse-hub", "counts", "--json"))
        return found

    async def run(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """Run one of our commands to its end with the hub's settings; what it printed. Refused `command_failed`."""
        process = await asyncio.create_subprocess_exec(
            command(words[0]),
            *words[1:],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.hub_environment, **(environment or {})},
        )
        out, err = await process.communicate()
        if process.returncode:
            reason = err.decode(errors="replace").strip()[-500:]
            raise Refused("command_failed", f"{words[0]} 没有成功", f"{' '.join(words)}: {reason}")
        return out.decode()

    async def stop(self) -> None:
        """Everything down, boxes first, then the hub, the broker last."""
        for child in reversed(self._children):
            await child.stop()
        for relay in self._relays:
            await relay.stop()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _check_room(self) -> None:
        if not port_is_free(self.port):
            raise Refused(
                "port_busy",
                f"端口 {self.port} 已经有别的程序在用，换一个：make demo PORT={self.port + 1}",
                f"port {self.port} is in use; choose another: make demo PORT={self.port + 1}",
            )
        home = next(parent for parent in (self.folder, *self.folder.parents) if parent.exists())
        free = shutil.disk_usage(home).free
        if free < NEEDED_BYTES:
            raise Refused(
                "disk_full",
                f"{home} 只剩 {free // 2**20} MB，演示至少要 {NEEDED_BYTES // 2**20} MB",
                f"only {free // 2**20} MB left on {home}; the demo needs {NEEDED_BYTES // 2**20} MB",
            )

    async def _make_keys(self) -> None:
        if not (self.keys / "ca.key").exists():
            await self.run("gatehouse-provision", "ca", str(self.keys), "--host", "127.0.0.1", "--host", "localhost")


def python() -> str:
    return command("python")


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def wait_for_port(port: int, seconds: float) -> None:
    """Until something accepts connections. Refused `not_listening`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise Refused("not_listening", f"端口 {port} 一直没有应答", f"nothing answers on port {port}")


def http_client() -> httpx.AsyncClient:
    """A client for people on the site; never through a proxy."""
    return httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=50))


def read_json(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found
