"""Thumbnails by hash: a file on disk, a row saying whose it is (DESIGN 2.7)."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path

from cloud.fleet import store_boxes
from cloud.fleet.handling import Place
from cloud.shared import by_hash
from cloud.shared.db import Tx
from protocols.errors import NotFound, Refused

MAX_BYTES = 40 * 1024
_KINDS = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


def check(sha256: str, content: bytes) -> str:
    """The media type. Refused `bad_hash`, `picture_too_large`, `not_a_picture`, `wrong_body`."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise Refused("bad_hash", "图片编号不对", "not a SHA-256", field="sha256")
    if len(content) > MAX_BYTES:
        raise Refused("picture_too_large", "图片超过 40 kB", f"a thumbnail has at most {MAX_BYTES} bytes")
    media = next((media for magic, media in _KINDS if content.startswith(magic)), None)
    if media is None:
        raise Refused("not_a_picture", "不是 JPEG 或 PNG 图片", "neither JPEG nor PNG")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Refused("wrong_body", "图片内容和编号不符", "the content does not match its hash")
    return media


def path_of(folder: Path, sha256: str) -> Path:
    """Where a picture lies under GATEHOUSE_DATA."""
    return by_hash.path_of(folder, "pictures", sha256)


async def keep(tx: Tx, folder: Path, place: Place, sha256: str, content: bytes, now: datetime) -> None:
    """Keep a thumbnail of a box, tell live pages; the file first, so that a row never points at nothing. Refused as `check`."""
    media = check(sha256, content)
    await by_hash.keep(folder, "pictures", content)
    if await store_boxes.add_picture(tx, place, sha256, len(content), media, now):
        await tx.notify("picture", {"box": place.box, "project_id": place.project_id})


async def find(tx: Tx, folder: Path, sha256: str, *, user_id: int | None, at: datetime) -> tuple[Path, str]:
    """File and media type of a picture that a box in scope sent; who looks at it is logged (K-37). NotFound `no_picture`."""
    media = await store_boxes.look_at_picture(tx, sha256, user_id, at)
    if media is None or not path_of(folder, sha256).exists():
        raise NotFound("no_picture", "没有这张图片", "no such picture")
    return path_of(folder, sha256), media
