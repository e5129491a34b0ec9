"""The wire between plant and box: a unix socket that carries pin levels (protocols/wiring.py has the lines)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from protocols.wiring import LanePins
from sim.plant.lane import LanePlant


class PinServer:
    """Serves the pins of one box; outputs drive the arms, inputs follow the lanes. A box may come and go."""

    def __init__(self, path: Path, lanes: Mapping[str, LanePlant], pins: Mapping[str, LanePins]) -> None:
        self._path = path
        self._lanes = lanes
        self._pins = pins
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._levels: dict[int, int] = {}
        self._fire = False

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path=str(self._path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()
        self._path.unlink(missing_ok=True)

    def set_fire(self, active: bool) -> None:
        """The fire panel's contact, wired to every lane that has the input."""
        self._fire = active

    def publish(self) -> None:
        """Tell the box what changed since the last call."""
        for pin, level in self._inputs().items():
            if self._levels.get(pin) != level:
                self._levels[pin] = level
                self._send(pin, level)

    def _inputs(self) -> dict[int, int]:
        levels: dict[int, int] = {}
        for name, lane in self._lanes.items():
            pins, now = self._pins[name], lane.inputs
            levels |= {pins.loop_a: now.loop_a, pins.loop_b: now.loop_b, pins.arm_up: now.arm_up, pins.arm_down: now.arm_down}
            if pins.fire is not None:
                levels[pins.fire] = self._fire
        return {pin: int(level) for pin, level in levels.items()}

    def _send(self, pin: int, level: int) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(f"in {pin} {level}\n".encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            while line := await reader.readline():
                self._heard(line.decode(errors="replace").split())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if self._writer is writer:
                self._writer = None
            writer.close()

    def _heard(self, words: list[str]) -> None:
        match words:
            case ["hello", _]:
                self._levels = self._inputs()
                for pin, level in self._levels.items():
                    self._send(pin, level)
            case ["out", pin, "1"]:
                self._pulse(int(pin))
            case _:
                pass

    def _pulse(self, pin: int) -> None:
        for name, pins in self._pins.items():
            if pin == pins.open:
                self._lanes[name].arm.open_pulse()
            elif pin == pins.close:
                self._lanes[name].arm.close_pulse()
