"""The meters of one site: electricity behind a Modbus gateway, and on a DL/T 645 line over TCP."""

from __future__ import annotations

from protocols.wiring import BusConfig, MeterPoint
from sim.meters.modbus_tcp import REGISTERS, ModbusGateway
from sim.meters.register import Meter

MODBUS_METERS = 60
EVERY_S = 5.0


class SiteMeters:
    """`names` and `buses` are what a meter plan says; ports are known after `start`."""

    def __init__(self, project: str, seed: int) -> None:
        self._project = project
        self._modbus = {
            unit: Meter(f"{project}-e{unit:03d}", str(unit), seed) for unit in range(1, MODBUS_METERS + 1)
        }
        self._gateway = ModbusGateway(self._modbus)
        self.buses: list[BusConfig] = []

    @property
    def meters(self) -> list[Meter]:
        return list(self._modbus.values())

    @property
    def names(self) -> list[tuple[str, str]]:
        """(meter number, where it hangs)."""
        return [(meter.number, f"{number} 号电表") for number, meter in enumerate(self.meters, 1)]

    async def start(self) -> None:
        await self._gateway.start()
        self.buses = [
            BusConfig(
                bus=f"{self._project}-modbus",
                transport="tcp",
                address=f"127.0.0.1:{self._gateway.port}",
                every_s=EVERY_S,
                meters=tuple(
                    MeterPoint(meter=meter.number, protocol="modbus", address=meter.address, registers=REGISTERS)
                    for meter in self._modbus.values()
                ),
            )
        ]

    async def stop(self) -> None:
        await self._gateway.stop()
