"""Opens what a bus of the meter plan names."""

from __future__ import annotations

from collections.abc import Sequence

from edge.core.meter_types import Ask, MeterBus, ModbusAsk, Value
from edge.drivers.bus_line import Line
from edge.drivers.bus_wire import OpenWire, TcpWire
from edge.drivers.dlt645_line import Dlt645Line
from edge.drivers.modbus_line import ModbusLine
from edge.drivers.modbus_tcp import ModbusTcpBus
from protocols.wiring import BusConfig

BITS_A_BYTE = 11
RTU_GAP_BYTES = 3.5


class LineBus:
    """A half-duplex line with meters of either protocol on it."""

    def __init__(self, line: Line, timeout_s: float) -> None:
        self._line = line
        self._modbus = ModbusLine(line, timeout_s)
        self._dlt645 = Dlt645Line(line)

    async def read(self, ask: Ask) -> Sequence[Value]:
        return await self._modbus.read(ask) if isinstance(ask, ModbusAsk) else await self._dlt645.read(ask)

    async def frozen(self, address: str, back: int) -> tuple[str | None, Sequence[Value]]:
        return await self._dlt645.frozen(address, back)

    def settle(self) -> None:
        """A line learns nothing between rounds: each time-out was waited out at once."""

    def counts(self) -> dict[str, int]:
        foreign = self._modbus.foreign + self._dlt645.foreign
        return {"late": self._line.late, "foreign": foreign, "garbled": self._dlt645.garbled, "opened": self._line.opened}

    async def close(self) -> None:
        await self._line.close()


class MixedBus:
    """A TCP address whose meters speak Modbus TCP and DL/T 645: a connection for each."""

    def __init__(self, modbus: MeterBus, line: MeterBus) -> None:
        self._modbus = modbus
        self._line = line

    async def read(self, ask: Ask) -> Sequence[Value]:
        return await (self._modbus if isinstance(ask, ModbusAsk) else self._line).read(ask)

    async def frozen(self, address: str, back: int) -> tuple[str | None, Sequence[Value]]:
        return await self._line.frozen(address, back)

    def settle(self) -> None:
        self._modbus.settle()
        self._line.settle()

    def counts(self) -> dict[str, int]:
        one, other = self._modbus.counts(), self._line.counts()
        return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}

    async def close(self) -> None:
        await self._modbus.close()
        await self._line.close()


def open_bus(config: BusConfig) -> MeterBus:
    """The driver of a bus; nothing is opened before the first question."""
    timeout_s, quiet_s = config.timeout_ms / 1000, config.quiet_ms / 1000
    if config.transport == "serial":
        byte_s = BITS_A_BYTE / config.baud
        gap_s = max(RTU_GAP_BYTES * byte_s, 0.00175)
        line = Line(_serial(config), timeout_s=timeout_s, quiet_s=max(quiet_s, gap_s), gap_s=gap_s, byte_s=byte_s)
        return LineBus(line, timeout_s)
    line = Line(lambda: TcpWire.open(config.address), timeout_s=timeout_s, quiet_s=quiet_s)
    protocols = {point.protocol == "modbus" for point in config.meters}
    if protocols == {False}:
        return LineBus(line, timeout_s)
    modbus = ModbusTcpBus(config.address, timeout_s)
    return modbus if protocols == {True} else MixedBus(modbus, LineBus(line, timeout_s))


def _serial(config: BusConfig) -> OpenWire:
    async def opened() -> SerialWire:
        return await SerialWire.open(config.address, config.baud, config.parity)

    from edge.drivers.serial_port import SerialWire  # pyserial only where a line is configured (DESIGN 1)

    return opened
