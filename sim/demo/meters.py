"""The meters of one site: electricity behind a Modbus gateway, and heat pumps on a serial DL/T 645 line at 9600 baud."""

from __future__ import annotations

from protocols.wiring import BusConfig, MeterPoint
from sim.meters.dlt645 import Dlt645Units
from sim.meters.lines import PtyLine
from sim.meters.modbus_tcp import REGISTERS, ModbusGateway
from sim.meters.register import Meter

MODBUS_METERS, SERIAL_METERS = 60, 8
EVERY_S = 5.0
BAUD = 9_600
ENERGY, VOLTAGE = "00010000", "02010100"


class SiteMeters:
    """`names` and `buses` are what a meter plan says; where they hang is known after `start`."""

    def __init__(self, project: str, seed: int) -> None:
        self._project = project
        self._modbus = {unit: Meter(f"{project}-e{unit:03d}", str(unit), seed) for unit in range(1, MODBUS_METERS + 1)}
        self._serial = {f"{n:012d}": Meter(f"{project}-h{n:03d}", f"{n:012d}", seed) for n in range(1, SERIAL_METERS + 1)}
        self._gateway = ModbusGateway(self._modbus)
        self._line: PtyLine | None = None
        self.buses: list[BusConfig] = []

    @property
    def names(self) -> list[tuple[str, str]]:
        """(meter number, where it hangs)."""
        rooms = [(meter.number, f"{number} 号电表") for number, meter in enumerate(self._modbus.values(), 1)]
        return rooms + [(meter.number, f"{number} 号热泵电表") for number, meter in enumerate(self._serial.values(), 1)]

    async def start(self) -> None:
        await self._gateway.start()
        self._line = PtyLine(Dlt645Units(self._serial), baud=BAUD, turnaround_s=0.02)
        self._line.start()
        modbus = tuple(
            MeterPoint(meter=meter.number, protocol="modbus", address=meter.address, registers=REGISTERS)
            for meter in self._modbus.values()
        )
        serial = tuple(
            MeterPoint(meter=meter.number, protocol="dlt645-2007", address=meter.address, registers=[ENERGY, VOLTAGE])
            for meter in self._serial.values()
        )
        gateway = f"127.0.0.1:{self._gateway.port}"
        self.buses = [
            BusConfig(bus=f"{self._project}-modbus", transport="tcp", address=gateway, every_s=EVERY_S, meters=modbus),
            BusConfig(
                bus=f"{self._project}-dlt645",
                transport="serial",
                address=self._line.device,
                baud=BAUD,
                every_s=EVERY_S,
                meters=serial,
            ),
        ]

    async def stop(self) -> None:
        await self._gateway.stop()
        if self._line is not None:
            self._line.close()
