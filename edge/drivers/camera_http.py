"""Smart cameras that push what they read over HTTP, in Zhenshi's form (L-07). It reports; it never opens anything."""

from __future__ import annotations

import binascii
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.ports import PlateSeen

BIGGEST_BODY = 1_000_000
MOST_LANES = 64
BIGGEST_TEXT = 40 * 1024 // 3 * 4
"""A picture of up to 40 kB in base64: its size is known before anything is decoded."""
JPEG = b"\xff\xd8\xff"
LATE_S = 30.0
STEADY_S = 2.0
COLOURS = {1: "blue", 2: "yellow", 3: "white", 4: "black", 5: "green", 6: "yellow_green"}
UNREAD = frozenset({"", "_无_", "无牌车", "unknown"})

_GOOD = {"Response_AlarmInfoPlate": {"info": "", "content": "", "is_pay": "true", "serialData": []}}
"""The vendor's answer with an empty `info`: "ok" there would make the camera itself open its barrier."""


class _Vendor(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Timeval(_Vendor):
    sec: int = 0
    usec: int = 0


class _TimeStamp(_Vendor):
    Timeval: _Timeval = _Timeval()


class _PlateResult(_Vendor):
    license: str = Field(default="", max_length=32)
    colorType: int = 0
    confidence: int = 0
    timeStamp: _TimeStamp = _TimeStamp()
    imageFile: object = None
    imageFragmentFile: object = None


class _Result(_Vendor):
    PlateResult: _PlateResult


class _AlarmInfoPlate(_Vendor):
    serialno: str = Field(default="", max_length=64)
    plateid: int | None = None
    result: _Result


class _Push(_Vendor):
    AlarmInfoPlate: _AlarmInfoPlate


def camera_app(
    on_plate: Callable[[PlateSeen], None],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    counts: Counter[str] | None = None,
) -> Starlette:
    """POST /camera/{lane}. A bad body is 400, one above 1 MB is 413; the same reading pushed again gets the same event id.

    `counts` of pictures that were of no use, whose readings counted all the same: `picture_bad`, `picture_too_large`.
    """

    counted: Counter[str] = Counter() if counts is None else counts
    clocks: dict[str, _CameraClock] = {}

    async def push(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return JSONResponse({"error": "too large"}, status_code=413)
        try:
            alarm = _Push.model_validate(json.loads(body)).AlarmInfoPlate
        except (ValidationError, ValueError, RecursionError):
            return JSONResponse({"error": "not a recognition message"}, status_code=400)
        lane = request.path_params["lane"]
        clock = clocks.setdefault(lane, _CameraClock()) if len(clocks) < MOST_LANES else clocks.get(lane, _CameraClock())
        on_plate(_seen(lane, alarm, clock, now(), counted))
        return JSONResponse(_GOOD)

    return Starlette(routes=[Route("/camera/{lane}", push, methods=["POST"])])


async def _body(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BIGGEST_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


class _CameraClock:
    """How far a camera's clock is behind the box's, learnt from what it sends: a clock set wrong is no lateness.

    Two readings with the same large offset are a wrong clock; readings replayed in a burst have offsets that differ.
    """

    def __init__(self) -> None:
        self._usual: float | None = None
        self._suspect: float | None = None

    def late(self, age_s: float) -> bool:
        beyond = age_s - (self._usual or 0.0)
        steady = self._suspect is not None and abs(age_s - self._suspect) <= STEADY_S
        if beyond > LATE_S and not steady:
            self._suspect = age_s
            return True
        self._usual = age_s if self._usual is None or steady else min(self._usual, age_s)
        self._suspect = None
        return False


def _picture(found: _PlateResult, counts: Counter[str]) -> bytes | None:
    """The whole frame when it is small enough to go up, else the cut-out of it; no image is decoded on a box."""
    too_large = False
    for text in (found.imageFile, found.imageFragmentFile):
        if not text:
            continue
        if isinstance(text, str) and len(text) > BIGGEST_TEXT:
            too_large = True
            continue
        content = _jpeg(text)
        if content is not None:
            return content
        counts["picture_bad"] += 1
    if too_large:
        counts["picture_too_large"] += 1
    return None


def _jpeg(text: object) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        content = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return content if content.startswith(JPEG) else None


def _seen(lane: str, alarm: _AlarmInfoPlate, clock: _CameraClock, now: datetime, counts: Counter[str]) -> PlateSeen:
    found = alarm.result.PlateResult
    stamp = found.timeStamp.Timeval
    taken = datetime.fromtimestamp(stamp.sec, UTC) if 0 < stamp.sec < 4_000_000_000 else None
    plate = None if found.license.strip() in UNREAD else found.license.strip()
    return PlateSeen(
        lane=lane,
        plate=plate,
        colour=COLOURS.get(found.colorType, "unknown"),
        confidence=min(100, max(0, found.confidence)),
        event_id=f"{alarm.serialno}/{alarm.plateid}/{stamp.sec}.{stamp.usec:06d}/{plate}",
        late=taken is not None and clock.late((now - taken).total_seconds()),
        picture=_picture(found, counts),
    )
