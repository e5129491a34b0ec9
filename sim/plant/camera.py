"""A plate camera that pushes what it reads to the box, in the form Zhenshi cameras use over HTTP."""

from __future__ import annotations

from datetime import datetime

import httpx

from sim.plant.vehicle import Vehicle

COLOURS = {"blue": 1, "yellow": 2, "white": 3, "black": 4, "green": 5}


def push_body(vehicle: Vehicle, at: datetime, serial: str, confidence: int) -> dict[str, object]:
    """The recognition message for a vehicle; plate text and colour as the camera saw them."""
    return {
        "AlarmInfoPlate": {
            "channel": 0,
            "deviceName": "IVS",
            "ipaddr": "127.0.0.1",
            "serialno": serial,
            "result": {
                "PlateResult": {
                    "license": vehicle.plate,
                    "colorType": COLOURS[vehicle.colour],
                    "confidence": confidence,
                    "timeStamp": {"Timeval": {"sec": int(at.timestamp()), "usec": at.microsecond}},
                    "triggerType": 8,
                    "type": 1,
                }
            },
        }
    }


class Camera:
    """Pushes to `<base>/camera/<lane>`; a box that is away misses the picture, as with a real camera."""

    def __init__(self, client: httpx.AsyncClient, lane: str) -> None:
        self._client = client
        self._lane = lane

    async def push(self, base: str, vehicle: Vehicle, at: datetime, confidence: int = 98) -> bool:
        """True when the box took it."""
        try:
            answer = await self._client.post(
                f"{base}/camera/{self._lane}", json=push_body(vehicle, at, f"sim-{self._lane}", confidence), timeout=3
            )
        except httpx.HTTPError:
            return False
        return answer.is_success

