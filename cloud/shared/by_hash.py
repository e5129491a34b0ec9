"""Files kept by their SHA-256 under GATEHOUSE_DATA: written whole or not at all, never twice, never changed (DESIGN 2.7)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from pathlib import Path


def path_of(folder: Path, kind: str, sha256: str) -> Path:
    """Where a file of a kind ('pictures', 'slips', ...) lies in the hub's data folder."""
    return folder.joinpath(kind, sha256[:2], sha256)


async def keep(folder: Path, kind: str, content: bytes) -> str:
    """The content's hash, once it is safely on the disk: before the row that points at it."""
    sha256 = hashlib.sha256(content).hexdigest()
    await asyncio.to_thread(_write, path_of(folder, kind, sha256), content)
    return sha256


def _write(path: Path, content: bytes) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
