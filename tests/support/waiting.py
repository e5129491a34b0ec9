"""Waiting for a condition, never for a time; and whether a process is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

LOOK_S = 0.02


def wait(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Until `condition` holds. AssertionError naming `what` when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds} s: {what}")
        pause.wait(LOOK_S)


def gone(pid: int) -> bool:
    """Ended, or a zombie that its parent has not yet buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
