"""What a lane's camera photographs: a car's front with its plate, as a small JPEG, drawn without the machine's fonts.

`plate_signs.json`: the Chinese characters of plates, 32 x 32 pixels each, one bit a pixel, drawn once from Noto Sans CJK SC Bold.
"""

from __future__ import annotations

import base64
import json
import zlib
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (320, 180)
QUALITY = 70
_PLATE = (86, 118, 234, 154)
_BODIES = ("#d8dadd", "#4b5866", "#7d1f24", "#27476b", "#8a8f96", "#b9b3a4")
_PLATES = {
    "blue": ("#1558b0", "#ffffff"),
    "yellow": ("#e8b200", "#1a1a1a"),
    "white": ("#f4f4f2", "#1a1a1a"),
    "black": ("#16181c", "#ffffff"),
    "green": ("#5fc08a", "#10241a"),
}


def jpeg(plate: str, colour: str, at: datetime, lane: str) -> bytes:
    """The car that belongs to a plate is always the same one; time and lane stand in the corner."""
    image = _scene(zlib.crc32(plate.encode()) % len(_BODIES)).copy()
    draw = ImageDraw.Draw(image)
    if plate:
        _draw_plate(image, draw, plate, colour)
    draw.text((6, 4), f"{at:%Y-%m-%d %H:%M:%S}  {lane}", "#f2f2f2", _font(13))
    out = BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _draw_plate(image: Image.Image, draw: ImageDraw.ImageDraw, plate: str, colour: str) -> None:
    ground, ink = _PLATES.get(colour, _PLATES["blue"])
    left, top, right, bottom = _PLATE
    draw.rounded_rectangle(_PLATE, 4, ground, ink, 1)
    step = (right - left - 10) / max(7, len(plate))
    for number, character in enumerate(plate):
        middle = left + 5 + step * (number + 0.5)
        sign = _sign(character)
        if sign is None:
            draw.text((middle, (top + bottom) / 2), character, ink, _font(27), anchor="mm")
        else:
            width = int(min(step, 22))
            small = sign.resize((width, 26))
            image.paste(ink, (round(middle - width / 2), (top + bottom) // 2 - 13), small)


@cache
def _scene(body: int) -> Image.Image:
    """Road, kerb and the front of a car in one of the colours: drawn once each."""
    image = Image.new("RGB", SIZE, "#3a3f45")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, SIZE[0], 54), "#59626b")
    draw.polygon(((0, 180), (36, 54), (284, 54), (320, 180)), "#474c52")
    draw.line(((36, 54), (0, 180)), "#e3c24a", 3)
    draw.line(((284, 54), (320, 180)), "#e3c24a", 3)
    paint = _BODIES[body]
    draw.polygon(((96, 26), (224, 26), (250, 74), (70, 74)), paint)
    draw.polygon(((104, 32), (216, 32), (236, 72), (84, 72)), "#1d2730")
    draw.rounded_rectangle((54, 72, 266, 166), 14, paint)
    draw.rounded_rectangle((108, 92, 212, 110), 4, "#14171a")
    for lamp in (64, 220):
        draw.rounded_rectangle((lamp, 88, lamp + 36, 108), 6, "#f5f0d8")
    for tyre in (60, 232):
        draw.rectangle((tyre, 164, tyre + 28, 178), "#101214")
    return image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@cache
def _sign(character: str) -> Image.Image | None:
    bits = _signs().get(character)
    return Image.frombytes("1", (32, 32), base64.b64decode(bits)).convert("L") if bits else None


@cache
def _signs() -> dict[str, str]:
    found: dict[str, str] = json.loads(Path(__file__).with_name("plate_signs.json").read_text(encoding="utf-8"))
    return found
