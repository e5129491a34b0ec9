"""What these figures were measured on."""

from __future__ import annotations

import os
import platform
import time
from datetime import datetime
from pathlib import Path

from cloud.shared.server import find_binaries
from protocols.time import SHANGHAI
from tests.bench.harness import median
from tests.bench.places import BROKER


def facts(folder: Path, *, quick: bool) -> dict[str, object]:
    """`folder`: on the disk that the rows write to."""
    return {
        "date": f"{datetime.now(SHANGHAI):%Y-%m-%d %H:%M}",
        "cores": os.cpu_count() or 0,
        "cpu": _cpu(),
        "python": platform.python_version(),
        "postgresql": find_binaries().major,
        "broker": BROKER,
        "fdatasync_ms": round(fdatasync_ms(folder), 2),
        "load_before": load(),
        "quick": quick,
    }


def load() -> float:
    """Of the last minute; above the number of cores others were at work too."""
    return round(os.getloadavg()[0], 1)


def fdatasync_ms(folder: Path) -> float:
    """Median of 50 times 4 KiB appended and synced."""
    path, took = folder / "fsync", []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(50):
            os.write(descriptor, bytes(4096))
            began = time.perf_counter()
            os.fdatasync(descriptor)
            took.append((time.perf_counter() - began) * 1_000)
    finally:
        os.close(descriptor)
        path.unlink()
    return median(took)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
