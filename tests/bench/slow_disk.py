"""A folder on a disk whose every fsync takes its time: `python -m tests.bench.slow_disk MOUNT ORIGIN MILLISECONDS` (FUSE).

Everything is passed on to ORIGIN. Like a card, the disk settles one fsync after the other; reads and writes go on meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mfusepy

from tests.bench.places import child
from tests.support.power_disk import missing
from tests.support.waiting import wait

__all__ = ["missing", "mounted"]

_STAT = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")
_TIMES = ("st_atime", "st_mtime", "st_ctime")


class SlowDisk(mfusepy.Operations):  # type: ignore[misc]
    use_ns = True

    def __init__(self, origin: Path, fsync_s: float) -> None:
        self._origin, self._fsync_s = str(origin), fsync_s
        self._flushing = threading.Lock()

    def _at(self, path: str) -> str:
        return self._origin + path

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._at(path))
        return {name: getattr(found, name) for name in _STAT} | {name: getattr(found, f"{name}_ns") for name in _TIMES}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._at(path))]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path), length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        with self._flushing:
            time.sleep(self._fsync_s)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        return self.fsync(path, datasync, fh)

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._at(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._at(old), self._at(new))
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._at(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._at(path))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._at(path), mode)
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        os.utime(self._at(path), ns=times)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._origin)
        return {name: getattr(found, name) for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail")}


@contextlib.contextmanager
def mounted(folder: Path, origin: Path, fsync_ms: int) -> Iterator[Path]:
    """`origin` as such a disk shows it, for the length of a block."""
    mount = folder / "slow"
    mount.mkdir()
    with child(["tests.bench.slow_disk", str(mount), str(origin), str(fsync_ms)], folder / "slow.log"):
        wait(lambda: os.path.ismount(mount), 20, "the slow disk")
        try:
            yield mount
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(mount)], check=False)


if __name__ == "__main__":
    mfusepy.FUSE(SlowDisk(Path(sys.argv[2]), int(sys.argv[3]) / 1_000), sys.argv[1], foreground=True, default_permissions=True)
