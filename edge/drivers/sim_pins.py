"""A gpiozero pin factory whose pins are wires to the simulated plant: a unix socket, lines as in `protocols/wiring.py` (Z-01)."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from gpiozero import Factory, GPIOPinInUse, Pin, PinSetInput
from gpiozero.pins import PinInfo

SOCKET_VARIABLE = "GATEHOUSE_SIM_PINS"
FIRST_LEVEL_S = 2.0
RECONNECT_S = 0.2

Changed = Callable[[float, int], None]


class SimPin(Pin):  # type: ignore[misc]  # gpiozero is untyped
    """One BCM number. An input has the level the plant said last; an output is told to the plant."""

    def __init__(self, factory: SimFactory, number: int) -> None:
        super().__init__()
        self._factory = factory
        self._number = number
        self._function = "input"
        self._out = 0
        self._listener: Changed | None = None

    def close(self) -> None:
        self._listener = None
        self._function = "input"

    def _get_info(self) -> Any:
        name = f"GPIO{self._number}"
        return PinInfo(self._number, name, frozenset({name, str(self._number)}), "", self._number, 1, frozenset({"gpio"}))

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        self._function = value

    def _get_state(self) -> int:
        return self._out if self._function == "output" else self._factory.level(self._number)

    def _set_state(self, value: float) -> None:
        if self._function != "output":
            raise PinSetInput(f"cannot set the state of input {self._number}")
        self._out = int(bool(value))
        self._factory.send(f"out {self._number} {self._out}\n")

    def _get_pull(self) -> str:
        return "down"

    def _set_pull(self, value: str) -> None:
        """The plant's wires need no resistor."""

    def _get_bounce(self) -> None:
        return None

    def _set_bounce(self, value: float | None) -> None:
        """The plant's switches do not bounce."""

    def _get_edges(self) -> str:
        return "both"

    def _set_edges(self, value: str) -> None:
        """Always both."""

    def _get_when_changed(self) -> Changed | None:
        return self._listener

    def _set_when_changed(self, value: Changed | None) -> None:
        self._listener = value

    def told(self, level: int) -> None:
        """The plant says so; called in the factory's thread."""
        listener = self._listener
        if listener is not None:
            listener(self._factory.ticks(), level)


class SimFactory(Factory):  # type: ignore[misc]  # gpiozero is untyped
    """One connection for all pins of a box. It comes back by itself when the plant was restarted; pulses meanwhile are lost."""

    def __init__(self, path: str | None = None) -> None:
        super().__init__()
        self._path = path or os.environ[SOCKET_VARIABLE]
        self._pins: dict[int, SimPin] = {}
        self._owners: dict[int, object] = {}
        self._levels: dict[int, int] = {}
        self._heard = threading.Condition()
        self._socket: socket.socket | None = None
        self._closing = threading.Event()
        self._connect()
        self._thread = threading.Thread(target=self._listen, name="sim-pins", daemon=True)
        self._thread.start()

    def pin(self, name: int | str) -> SimPin:
        number = _number(name)
        if number not in self._pins:
            self._pins[number] = SimPin(self, number)
        return self._pins[number]

    def reserve_pins(self, requester: object, *names: int | str) -> None:
        for name in names:
            if self._owners.setdefault(_number(name), requester) is not requester:
                raise GPIOPinInUse(f"pin {name} is already in use")

    def release_pins(self, reserver: object, *names: int | str) -> None:
        for name in names:
            if self._owners.get(_number(name)) is reserver:
                del self._owners[_number(name)]

    def ticks(self) -> float:
        return time.monotonic()

    def ticks_diff(self, later: float, earlier: float) -> float:
        return later - earlier

    def close(self) -> None:
        self._closing.set()
        if self._socket is not None:
            self._socket.close()

    def knows(self, number: int) -> bool:
        return number in self._levels

    def level(self, number: int) -> int:
        """What the plant said last. OSError when it has never said anything about this pin."""
        with self._heard:
            if not self._heard.wait_for(lambda: number in self._levels, FIRST_LEVEL_S if self._socket is not None else 0):
                raise OSError(f"the plant at {self._path} says nothing about pin {number}")
            return self._levels[number]

    def send(self, line: str) -> None:
        """Lost when the plant is away, as on a cut wire."""
        there = self._socket
        if there is not None:
            try:
                there.sendall(line.encode())
            except OSError:
                self._socket = None

    def _connect(self) -> None:
        there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            there.connect(self._path)
            there.sendall(b"hello box\n")
        except OSError:
            there.close()
            return
        self._socket = there

    def _listen(self) -> None:
        while not self._closing.is_set():
            there = self._socket
            if there is None:
                self._closing.wait(RECONNECT_S)
                self._connect()
                continue
            rest = b""
            try:
                while data := there.recv(4096):
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self._said(line.split())
            except OSError:
                pass
            there.close()
            self._socket = None

    def _said(self, words: list[bytes]) -> None:
        match words:
            case [b"in", pin, level] if pin.isdigit() and level in (b"0", b"1"):
                number, now = int(pin), int(level)
            case _:
                return
        with self._heard:
            changed = self._levels.get(number) != now
            self._levels[number] = now
            self._heard.notify_all()
        if changed and number in self._pins:
            self._pins[number].told(now)


def _number(name: int | str) -> int:
    return int(str(name).removeprefix("GPIO"))
