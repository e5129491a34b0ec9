"""A disk whose power can be cut: it remembers what was synced, and a cut keeps that and an arbitrary part of the rest.

`python -m tests.support.power_disk MOUNT SEED_FOLDER CUTS ACCEPTED COUNT EVERY SEED` mounts it (FUSE). While others work on it,
about every EVERY operations the power "fails": first ACCEPTED is read (what the writer was promised so far), then what would
survive is written to CUTS/<n>/, and the work goes on undisturbed. What survives of a file is its content at its last fsync, plus
any subset of the writes after it, each whole, missing or torn at a sector. A name survives from the moment its folder was synced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mfusepy

SECTOR = 512


@dataclass
class _File:
    content: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Since the last fsync: (offset, data), or (length, None) for a truncation."""

    def write(self, data: bytes, offset: int) -> None:
        _apply(self.content, offset, data)
        self.pending.append((offset, data))

    def truncate(self, length: int) -> None:
        _apply(self.content, length, None)
        self.pending.append((length, None))

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()

    def survivor(self, chance: random.Random) -> bytes:
        found = bytearray(self.durable)
        mood = chance.random()
        for offset, data in self.pending:
            if chance.random() > mood:
                continue
            if data is not None and len(data) > SECTOR and chance.random() < 0.3:
                data = data[: SECTOR * chance.randrange(1, len(data) // SECTOR + 1)]
            _apply(found, offset, data)
        return bytes(found)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class PowerDisk(mfusepy.Operations):  # type: ignore[misc]
    """One flat folder. One request at a time (`nothreads`), so that a cut never falls into the middle of one."""

    use_ns = True

    def __init__(self, origin: Path, cuts: Path, accepted: Path, count: int, every: int, seed: str) -> None:
        self._names = {path.name: _File(bytearray(path.read_bytes())) for path in origin.iterdir() if path.name != "accepted"}
        for file in self._names.values():
            file.durable = bytearray(file.content)
        self._durable_names = dict(self._names)
        self._cuts, self._accepted, self._left, self._every = cuts, accepted, count, every
        self._chance = random.Random(seed)
        self._done = 0

    # ---- the cut ----

    def _step(self) -> None:
        if self._left and self._chance.random() * self._every < 1:
            self._left -= 1
            self._done += 1
            self._cut(self._cuts / f"part-{self._done}")

    def _cut(self, folder: Path) -> None:
        promised = self._accepted.read_bytes()
        folder.mkdir(parents=True)
        for name, file in self._durable_names.items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(file.survivor(self._chance))
        (folder / "accepted").write_bytes(promised)
        folder.rename(self._cuts / str(self._done))

    # ---- a file system ----

    def _of(self, path: str) -> _File:
        try:
            return self._names[path[1:]]
        except KeyError:
            raise mfusepy.FuseOSError(errno.ENOENT) from None

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, "st_uid": os.getuid(), "st_gid": os.getgid()}
        size = len(self._of(path).content)
        return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": size, "st_uid": os.getuid(), "st_gid": os.getgid()}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._names]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self._names[path[1:]] = _File()
        self._step()
        return 0

    def open(self, path: str, flags: int) -> int:
        self._of(path)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._of(path).content[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._of(path).write(bytes(data), offset)
        self._step()
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._of(path).truncate(length)
        self._step()
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._step()
        self._of(path).sync()
        self._step()
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._step()
        self._durable_names = dict(self._names)
        return 0

    def unlink(self, path: str) -> int:
        self._of(path)
        del self._names[path[1:]]
        self._step()
        return 0

    def rename(self, old: str, new: str) -> int:
        self._names[new[1:]] = self._of(old)
        del self._names[old[1:]]
        self._step()
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1 << 22, "f_bfree": 1 << 21, "f_bavail": 1 << 21}

    def chmod(self, path: str, mode: int) -> int:
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        return 0


def missing() -> str | None:
    """What this machine lacks for it; None when it can be mounted."""
    if not Path("/dev/fuse").exists():
        return "no /dev/fuse"
    if shutil.which("fusermount3") is None:
        return "fuse3 is not installed: tools/system-packages.sh installs it"
    return None


def main(mount: str, origin: str, cuts: str, accepted: str, count: str, every: str, seed: str) -> None:
    disk = PowerDisk(Path(origin), Path(cuts), Path(accepted), int(count), int(every), seed)
    with contextlib.suppress(KeyboardInterrupt):
        mfusepy.FUSE(disk, mount, foreground=True, nothreads=True, default_permissions=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
