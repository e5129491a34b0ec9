"""A lane's loops, limit switches, fire link and barrier relays through gpiozero (DESIGN 5). A driver never decides."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from gpiozero import DigitalInputDevice, DigitalOutputDevice

from edge.drivers.sim_pins import SOCKET_VARIABLE, SimFactory
from edge.ports import Input, LaneWires, Levels
from protocols.wiring import LaneConfig

BOUNCE_S = 0.01
INPUTS: tuple[Input, ...] = ("arm_down", "arm_up", "loop_a", "loop_b", "fire")


class GpioLane:
    """Inputs are active high. Edges come from gpiozero's thread and are handed to the running loop in their order."""

    def __init__(self, config: LaneConfig, factory: Any = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._pulse_s = config.pulse_ms / 1_000
        self._callback: Callable[[Input, bool], None] | None = None
        self._inputs: dict[Input, Any] = {}
        self._outputs: list[Any] = []
        self._offs: dict[int, asyncio.TimerHandle] = {}
        try:
            for name in INPUTS:
                number = getattr(config.pins, name)
                if number is not None:
                    self._inputs[name] = DigitalInputDevice(number, bounce_time=BOUNCE_S, pin_factory=factory)
            for number in (config.pins.open, config.pins.close):
                self._outputs.append(DigitalOutputDevice(number, pin_factory=factory))
        except BaseException:
            self.close()
            raise
        self._told = {name: bool(device.is_active) for name, device in self._inputs.items()}

    def levels(self) -> Levels:
        return Levels(**self._told)

    def listen(self, callback: Callable[[Input, bool], None]) -> None:
        """Edges from now on, and at once what has changed since `levels` was asked."""
        self._callback = callback
        for name, device in self._inputs.items():
            device.when_activated = self._from_thread(name, active=True)
            device.when_deactivated = self._from_thread(name, active=False)
            self._loop.call_soon(self._changed, name, bool(device.is_active))

    def pulse_open(self) -> None:
        self._pulse(0)

    def pulse_close(self) -> None:
        self._pulse(1)

    def close(self) -> None:
        self._callback = None
        for handle in self._offs.values():
            handle.cancel()
        for device in (*self._inputs.values(), *self._outputs):
            device.close()
        self._inputs, self._outputs = {}, []

    def _from_thread(self, name: Input, *, active: bool) -> Callable[[], None]:
        return lambda: self._hand_over(name, active)

    def _hand_over(self, name: Input, active: bool) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed, name, active)

    def _changed(self, name: Input, active: bool) -> None:
        if self._callback is not None and self._told[name] != active:
            self._told[name] = active
            self._callback(name, active)

    def _pulse(self, which: int) -> None:
        """Opening ends a closing pulse that is still on, and the other way round: a controller must never get both."""
        self._release(1 - which)
        self._release(which)
        self._outputs[which].on()
        self._offs[which] = self._loop.call_later(self._pulse_s, self._release, which)

    def _release(self, which: int) -> None:
        handle = self._offs.pop(which, None)
        if handle is not None:
            handle.cancel()
            self._outputs[which].off()


class WiresMaker:
    """Makes a lane's wires: on the plant's socket where GATEHOUSE_SIM_PINS names one, else on the box's own pins."""

    def __init__(self) -> None:
        self._factory: SimFactory | None = None

    def __call__(self, config: LaneConfig) -> LaneWires:
        if self._factory is None and SOCKET_VARIABLE in os.environ:
            self._factory = SimFactory()
        return GpioLane(config, self._factory)

    def close(self) -> None:
        if self._factory is not None:
            self._factory.close()
