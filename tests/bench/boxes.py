"""A box's folder with everything it desires already there, and the wires of its lanes as a plant would hold them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.clock import machine_clock
from edge.storage.reserve import FILE as RESERVE
from edge.storage.store import Store
from protocols.uplink.documents import DocumentName, Manifest, reference
from protocols.uplink.envelope import compact
from protocols.wiring import BusConfig, LaneConfig
from tests.support.lanes import TARIFF, lane_config

BOX = "fengqiao-01"
PASSES = 20_000
_PINS = 7


def lanes() -> list[LaneConfig]:
    """Two ways in, two ways out; short pulses, so that the next vehicle may come soon."""
    names = ("n-in", "n-out", "s-in", "s-out")
    made = [lane_config(name, 2 + _PINS * number) for number, name in enumerate(names)]
    return [one.model_copy(update={"pulse_ms": 100}) for one in made]


def plate(number: int) -> str:
    return f"京A{number:05d}"


def documents(configs: Sequence[LaneConfig], buses: Sequence[BusConfig] = ()) -> dict[DocumentName, Any]:
    """As a hub would publish them, with 20,000 monthly passes."""
    span = {"category": "monthly", "start": "2026-01-01T00:00:00+08:00", "last": "2099-12-31T23:59:59+08:00"}
    found: dict[DocumentName, Any] = {
        "lanes": {"site": "bench", "project": 11, "lanes": [config.model_dump(mode="json") for config in configs]},
        "tariffs": {"tariffs": {"casual": TARIFF}},
        "passes": {"entries": [{"plate": plate(number)} | span for number in range(PASSES)]},
        "calendar": {"holidays": [], "makeup_workdays": [], "weekend_is_holiday_price": False},
        "staff": {"entries": []},
    }
    return found | ({"meters": {"buses": [bus.model_dump(mode="json") for bus in buses]}} if buses else {})


def make_box(folder: Path, data: Path, broker_port: int, wanted: dict[DocumentName, Any]) -> Path:
    """A store in `data` that holds the documents, and the box.toml beside it; its path. The reserve is left out."""
    data.mkdir(exist_ok=True)
    asyncio.run(_hold(data, wanted))
    (data / RESERVE).touch()
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    path = folder / "box.toml"
    path.write_text(
        f'[box]\nid = "{BOX}"\ndata = "{data}"\n\n[broker]\naddresses = ["mqtt://127.0.0.1:{broker_port}"]\n\n'
        f'[hub]\nurl = "http://127.0.0.1:9"\ndocument_keys = ["{key}"]\n'
    )
    return path


async def _hold(data: Path, wanted: dict[DocumentName, Any]) -> None:
    bodies = {name: compact(body) for name, body in wanted.items()}
    refs = tuple(reference(name, body, "2026-01-01T00:00:00+08:00") for name, body in bodies.items())
    store = Store.open(data, BOX, machine_clock(), reserve_bytes=4_096)
    manifest = Manifest(box=BOX, generation=1, n=1, documents=refs)
    await store.switch(manifest, {ref.sha256: bodies[ref.name] for ref in refs})
    await store.close()


class Plant:
    """Serves the pins of a box on a unix socket: levels are set by hand, pulses are waited for."""

    def __init__(self, path: Path, configs: Sequence[LaneConfig]) -> None:
        self.path = path
        self.configs = {config.lane: config for config in configs}
        self._levels = {pin: 0 for config in configs for pin in self._inputs(config)}
        self._levels |= {config.pins.arm_down: 1 for config in configs}
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._waiting: dict[int, asyncio.Future[float]] = {}

    @staticmethod
    def _inputs(config: LaneConfig) -> list[int]:
        pins = config.pins
        return [pin for pin in (pins.loop_a, pins.loop_b, pins.arm_up, pins.arm_down, pins.fire) if pin is not None]

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, path=str(self.path))

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        if self._writer is not None:
            self._writer.close()

    def set(self, pin: int, level: int) -> None:
        self._levels[pin] = level
        if self._writer is not None:
            self._writer.write(f"in {pin} {level}\n".encode())

    def pulse(self, pin: int) -> asyncio.Future[float]:
        """The loop's time of the next pulse on an output."""
        self._waiting[pin] = asyncio.get_running_loop().create_future()
        return self._waiting[pin]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        for pin, level in self._levels.items():
            self.set(pin, level)
        with contextlib.suppress(asyncio.CancelledError):
            await self._listen(reader)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            words = line.split()
            if len(words) == 3 and words[0] == b"out" and words[2] == b"1":
                waiting = self._waiting.pop(int(words[1]), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(asyncio.get_running_loop().time())
