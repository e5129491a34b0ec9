"""Photos of bank receipts: made small, without what a phone writes into them, kept by hash, used for one slip (C-35, G-08)."""

from __future__ import annotations

import asyncio
import hashlib
import io
from datetime import datetime
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from cloud.access.service import Principal, audit
from cloud.counter import store_photos
from cloud.counter.store_banking import Slip
from cloud.shared import by_hash
from cloud.shared.db import Tx
from protocols.errors import NotFound, Refused

LONGEST_BYTES = 10_000_000
MOST_PIXELS = 40_000_000
SIDE = 1600
MAX_BYTES = 200_000
_QUALITIES = (82, 70, 58, 46, 34)


def shrink(content: bytes) -> bytes:
    """A JPEG of at most 200 kB, upright, with nothing but the picture in it. Refused `picture_too_large`, `not_a_picture`."""
    if len(content) > LONGEST_BYTES:
        raise Refused("picture_too_large", "照片最多 10 MB", "the photo is too large", field="photo")
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as found:
            if found.width * found.height > MOST_PIXELS:
                raise Refused("picture_too_large", "照片的像素太多，请用普通清晰度重拍", "too many pixels", field="photo")
            picture = ImageOps.exif_transpose(found).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise Refused("not_a_picture", "这不是照片，请选 JPEG 或 PNG", f"not a picture: {problem}", field="photo") from problem
    side = SIDE
    while True:
        picture.thumbnail((side, side))
        for quality in _QUALITIES:
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= MAX_BYTES:
                return out.getvalue()
        side = side * 3 // 4


def path_of(folder: Path, sha256: str) -> Path:
    """Where a photo lies under GATEHOUSE_DATA."""
    return by_hash.path_of(folder, "slips", sha256)


async def keep(tx: Tx, folder: Path, slip: Slip, content: bytes, who: Principal, *, at: datetime) -> str:
    """Keep a photo of a slip's bank receipt; its hash. The file first, so that a row never points at nothing.

    The same photo for the same slip changes nothing. Refused `not_depositor`, `photo_used` for another slip, those of `shrink`.
    """
    if who.user_id != slip.depositor_id:
        raise Refused("not_depositor", "由缴款人补回单", "the depositor brings the receipt")
    small = await asyncio.to_thread(shrink, content)
    original = hashlib.sha256(content).hexdigest()
    sha256 = await by_hash.keep(folder, "slips", small)
    if await store_photos.add(tx, slip.id, sha256, original, len(small), (who.user_id or 0, who.number), at):
        return sha256
    if await store_photos.of_slip(tx, slip.id, sha256) is None:
        raise Refused("photo_used", "这张照片已经用过，一张回单照片只能用一次", "the photo was used before", field="photo")
    return sha256


async def find(tx: Tx, folder: Path, slip: Slip, sha256: str, who: Principal, *, at: datetime) -> Path:
    """The file of a slip's photo; who looks at it is logged. NotFound `no_picture`."""
    path = path_of(folder, sha256)
    if await store_photos.of_slip(tx, slip.id, sha256) is None or not path.exists():
        raise NotFound("no_picture", "没有这张照片", "no such photo")
    told = {"photo": sha256}
    await audit(
        tx, who, "slip.photo", f"slip:{slip.id}", None, told, "", at=at, company_id=slip.company_id, project_id=slip.project_id
    )
    return path
