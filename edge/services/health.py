"""What the box says about itself in every beat: version, uptime, disk, heat, throttling, queue, whatever is wrong (B-05)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge.clock import BoxClock
from edge.services.supervise import Unit
from edge.storage.schema import STREAMS
from edge.storage.store import Store

_HEAT = Path("/sys/class/thermal/thermal_zone0/temp")
_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Health:
    """`parts` are asked for what they have to add, each under its own name."""

    def __init__(self, store: Store, clock: BoxClock, folder: Path, units: Mapping[str, Unit]) -> None:
        self._store, self._clock, self._folder, self._units = store, clock, folder, units
        self._began_ms = clock.mono_ms()
        self.version = version("gatehouse")
        self.parts: dict[str, Callable[[], Mapping[str, Any]]] = {}

    def read(self) -> dict[str, Any]:
        """Only what is there to say: an absent key means nothing is wrong with it."""
        writer = self._store.writer_health
        wall = self._clock.wall()
        found: dict[str, Any] = {
            "version": self.version,
            "uptime_s": (self._clock.mono_ms() - self._began_ms) // 1000,
            "disk_free_mb": shutil.disk_usage(self._folder).free // 2**20,
            "memory_mb": _memory_mb(),
            "temperature_c": _number(_HEAT, 1000),
            "throttled": _text(_THROTTLED),
            "clock_error_ms": wall.error_ms,
            "queue": {stream: self._waiting(stream) for stream in STREAMS},
            "documents": ".".join(str(number) for number in self._store.manifest),
            "store": writer.failing,
            "store_failures": writer.failures or None,
            "reserve": None if self._store.reserve_held else "gone",
            "witness_conflicts": self._store.witness_conflicts or None,
            "units": {name: unit.state for name, unit in self._units.items() if unit.state not in ("running", "ended")} or None,
        }
        for name, part in self.parts.items():
            found[name] = dict(part()) or None
        return {name: value for name, value in found.items() if value is not None}

    def _waiting(self, stream: Any) -> int:
        status = self._store.status(stream)
        return status.seq - status.acked


def _memory_mb() -> int | None:
    text = _text(_STATM)
    return int(text.split()[1]) * _PAGE // 2**20 if text else None


def _number(path: Path, divisor: int) -> int | None:
    text = _text(path)
    return int(text) // divisor if text and text.lstrip("-").isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
