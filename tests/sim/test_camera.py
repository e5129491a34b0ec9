"""The pictures the simulator's cameras push: small JPEGs of the plate, cheap, the same every time (DESIGN 2.7)."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import httpx
import pytest
from PIL import Image, ImageChops

from edge.drivers.camera_http import camera_app
from edge.ports import PlateSeen
from protocols.time import SHANGHAI
from sim.demo.names import PROVINCES
from sim.plant.camera import Camera
from sim.plant.picture import SIZE, jpeg
from sim.plant.vehicle import Vehicle

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=SHANGHAI)


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content)).convert("RGB")


@pytest.mark.parametrize(
    ("plate", "colour"),
    [*((f"{province}A12345", "blue") for province in PROVINCES), ("京AD12345", "green"), ("京A0001警", "white"), ("", "blue")],
)
def test_a_picture_is_small_and_always_the_same(plate: str, colour: str) -> None:
    content = jpeg(plate, colour, NOW, "n-in")
    assert content.startswith(b"\xff\xd8\xff") and len(content) <= 12_000 and opened(content).size == SIZE
    assert content == jpeg(plate, colour, NOW, "n-in")


def test_the_plate_can_be_told_from_another() -> None:
    """The character of the province too."""
    pictures = [
        opened(jpeg(plate, "blue", NOW, "n-in")).crop((86, 118, 234, 154)) for plate in ("京A12345", "沪A12345", "京A12346")
    ]
    for number, one in enumerate(pictures):
        for other in pictures[:number]:
            assert sum(ImageChops.difference(one, other).convert("L").histogram()[100:]) > 20


async def test_the_box_takes_what_the_camera_pushes() -> None:
    seen: list[PlateSeen] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=camera_app(seen.append, lambda: NOW))) as client:
        assert await Camera(client, "n-in").push("http://box", Vehicle("京AD12345", "green"), NOW)
    assert seen[0].picture == jpeg("京AD12345", "green", NOW, "n-in")
