"""A plate camera that pushes what it reads to the box, in the form Zhenshi cameras use over HTTP."""

from __future__ import annotations

import base64
from datetime import datetime

import httpx

from sim.plant.picture import jpeg
from sim.plant.vehicle import Vehicle

COLOURS = {"blue": 1, "yellow": 2, "white": 3, "black": 4, "green": 5}


def push_body(vehicle: Vehicle, at: datetime, serial: str, confidence: int, picture: bytes | None = None) -> dict[str, object]:
    """The recognition message for a vehicle; plate text and colour as the camera saw them, the picture a JPEG."""
    image = {"imageFile": base64.b64encode(picture).decode(), "imageFileLen": len(picture)} if picture is not None else {}
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
                    **image,
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
        body = push_body(vehicle, at, f"sim-{self._lane}", confidence, jpeg(vehicle.plate, vehicle.colour, at, self._lane))
        try:
            answer = await self._client.post(f"{base}/camera/{self._lane}", json=body, timeout=3)
        except httpx.HTTPError:
            return False
        return answer.is_success
