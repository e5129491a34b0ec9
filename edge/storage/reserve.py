"""Space that belongs to events alone: a file of 64 MB that is given up when the disk is full (L-33)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FILE = "reserve.bin"
BYTES = 64 * 1024 * 1024


class Reserve:
    """`give_up` may run in the writer's thread, `keep` in another; both only touch the file."""

    def __init__(self, folder: Path, size: int = BYTES) -> None:
        self._path = folder / FILE
        self._size = size

    @property
    def held(self) -> bool:
        return self._path.exists()

    def keep(self) -> bool:
        """Allocate the reserve where there is room for twice its size; whether it is held now."""
        if self.held:
            return True
        part = self._path.with_suffix(".part")
        try:
            if shutil.disk_usage(self._path.parent).free < 2 * self._size:
                return False
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
                os.fsync(file.fileno())
            part.rename(self._path)
        except OSError:
            # No room or no such right here: the store then works without a reserve, and health says so.
            part.unlink(missing_ok=True)
            return False
        return True

    def give_up(self) -> bool:
        """Whether there was anything to give."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
