"""Smart cameras at the wire: the simulator's own pushes, bad bodies, repeats, late ones (L-07)."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.drivers.camera_http import camera_app
from edge.ports import PlateSeen
from protocols.time import SHANGHAI
from sim.plant.camera import push_body
from sim.plant.vehicle import Vehicle

VECTOR = Path(__file__).parents[2] / "vectors/camera/vz_http_green_images.json"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=SHANGHAI)


class Box:
    def __init__(self) -> None:
        self.seen: list[PlateSeen] = []
        self.now = NOW
        self.counts: Counter[str] = Counter()
        app = camera_app(self.seen.append, lambda: self.now, self.counts)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://box")

    async def push(self, plate: str, taken: datetime, colour: str = "blue") -> httpx.Response:
        return await self.client.post("/camera/n-in", json=push_body(Vehicle(plate, colour), taken, "sim-1", 98))


async def test_what_the_simulator_sends_is_read() -> None:
    box = Box()
    answer = await box.push("京AD12345", NOW, "green")
    assert answer.status_code == 200 and answer.json()["Response_AlarmInfoPlate"]["info"] != "ok"
    (seen,) = box.seen
    assert (seen.lane, seen.plate, seen.colour, seen.confidence, seen.late) == ("n-in", "京AD12345", "green", 98, False)


async def test_a_retry_has_the_same_identity() -> None:
    box = Box()
    for _ in range(2):
        await box.push("京A12345", NOW)
    await box.push("京A12345", NOW + timedelta(seconds=1))
    assert box.seen[0].event_id == box.seen[1].event_id != box.seen[2].event_id


async def test_replayed_readings_are_late_and_a_wrong_clock_is_not() -> None:
    box = Box()
    await box.push("京A11111", NOW)
    for minutes in (30, 20, 10):
        await box.push("京A2222" + str(minutes)[0], NOW - timedelta(minutes=minutes))
    assert [seen.late for seen in box.seen] == [False, True, True, True]
    box = Box()
    for minutes in range(4):
        box.now = NOW + timedelta(minutes=minutes)
        await box.push("京A3333" + str(minutes), box.now - timedelta(hours=5))
    assert [seen.late for seen in box.seen] == [True, False, False, False]


@pytest.mark.parametrize("license", ["", "_无_"])
async def test_a_vehicle_without_a_plate(license: str) -> None:
    box = Box()
    await box.push(license, NOW)
    assert box.seen[0].plate is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"AlarmInfoPlate": 1}', b'{"AlarmInfoPlate": {"result": {}}}', b"\xff\xfe", b"[" * 100_000],
)
async def test_bad_bodies_are_refused_and_harm_nobody(body: bytes) -> None:
    box = Box()
    assert (await box.client.post("/camera/n-in", content=body)).status_code == 400
    assert not box.seen
    await box.push("京A12345", NOW)
    assert len(box.seen) == 1


def pushed(**images: object) -> dict[str, Any]:
    body: dict[str, Any] = push_body(Vehicle("京A12345", "blue"), NOW, "s", 98)
    body["AlarmInfoPlate"]["result"]["PlateResult"] |= images
    return body


def jpeg(size: int, fill: bytes = b"f") -> bytes:
    return b"\xff\xd8\xff" + fill * (size - 3)


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


SMALL, LARGE, CUT = jpeg(30_000), jpeg(41_000), jpeg(8_000, b"c")
IMAGES: dict[str, tuple[dict[str, object], bytes | None, dict[str, int]]] = {
    "a small frame": ({"imageFile": text(SMALL), "imageFragmentFile": text(CUT)}, SMALL, {}),
    "a large frame with its cut-out": ({"imageFile": text(LARGE), "imageFragmentFile": text(CUT)}, CUT, {}),
    "only a cut-out": ({"imageFragmentFile": text(CUT)}, CUT, {}),
    "a large frame alone": ({"imageFile": text(LARGE)}, None, {"picture_too_large": 1}),
    "both too large": ({"imageFile": text(LARGE), "imageFragmentFile": text(LARGE)}, None, {"picture_too_large": 1}),
    "none": ({}, None, {}),
    "empty": ({"imageFile": "", "imageFragmentFile": None}, None, {}),
    "bad base64": ({"imageFile": text(SMALL)[:-2] + "%%"}, None, {"picture_bad": 1}),
    "not ASCII": ({"imageFile": "图"}, None, {"picture_bad": 1}),
    "a bad frame with its cut-out": ({"imageFile": "%", "imageFragmentFile": text(CUT)}, CUT, {"picture_bad": 1}),
    "a PNG": ({"imageFile": text(b"\x89PNG\r\n\x1a\n" + bytes(50))}, None, {"picture_bad": 1}),
    "no text": ({"imageFile": 7, "imageFragmentFile": ["x"]}, None, {"picture_bad": 2}),
}


@pytest.mark.parametrize("case", IMAGES)
async def test_a_picture_comes_with_the_reading_and_a_bad_one_costs_nothing_else(case: str) -> None:
    """DESIGN 2.7: at most 40 kB, the cut-out where the frame is larger; the reading counts in any case."""
    images, picture, counts = IMAGES[case]
    box = Box()
    assert (await box.client.post("/camera/n-in", json=pushed(**images))).status_code == 200
    (seen,) = box.seen
    assert (seen.plate, seen.picture, dict(box.counts)) == ("京A12345", picture, counts)
    assert seen.picture is None or len(seen.picture) <= 40 * 1024


async def test_the_vendors_own_example_has_its_picture() -> None:
    """tests/vectors/camera/vz_http_green_images.json"""
    vector = json.loads(VECTOR.read_text())
    box = Box()
    await box.client.post("/camera/n-in", content=vector["body"].encode())
    (seen,) = box.seen
    sent = json.loads(vector["body"])["AlarmInfoPlate"]["result"]["PlateResult"]
    assert (seen.plate, seen.colour) == (vector["expect"]["plate"], vector["expect"]["colour"])
    assert seen.picture is not None and len(seen.picture) == sent["imageFileLen"] and not box.counts


async def test_too_large_a_body_is_refused_before_it_is_read() -> None:
    box = Box()
    big: dict[str, Any] = push_body(Vehicle("京A12345", "blue"), NOW, "s", 98) | {"image": "x" * 1_000_001}
    assert (await box.client.post("/camera/n-in", content=json.dumps(big))).status_code == 413
    assert not box.seen
