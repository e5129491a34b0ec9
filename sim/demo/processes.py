"""Child processes of the demo: each dies with its parent, writes a log of its own, and says in one JSON line when it is ready."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protocols.errors import Stop

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent's thread ends, also by kill -9 (Linux; elsewhere nothing)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One process. Start it from the main thread: the death signal hangs on the thread that started it."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._mark = log.tell()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment, preexec_fn=die_with_parent
            )

    async def ready(self, seconds: float = 60) -> dict[str, Any]:
        """The line `{"ready": true, ...}` of this start. Stop `not_ready`, with the log's last words, when none comes."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            found = self._ready_line()
            if found is not None:
                return found
            if not self.running:
                break
            await asyncio.sleep(0.05)
        raise Stop("not_ready", f"{self.name} 没有启动", f"{self.name} did not start: {self.last_words()}")

    def _ready_line(self) -> dict[str, Any] | None:
        with self._log.open("rb") as log:
            log.seek(self._mark)
            for line in log.read().splitlines():
                if line.startswith(b'{"ready"'):
                    found: dict[str, Any] = json.loads(line)
                    return found
        return None

    def last_words(self) -> str:
        """The last lines of the log of this start."""
        with self._log.open("rb") as log:
            log.seek(self._mark)
            return b" | ".join(log.read().splitlines()[-3:]).decode(errors="replace")[-600:]

    def kill(self) -> None:
        """As a power cut would: no warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self, seconds: float = 10) -> None:
        """Ask with SIGTERM, insist with SIGKILL."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, seconds)
        except subprocess.TimeoutExpired:
            self.kill()


def command(name: str) -> str:
    """The path of one of our console commands, beside the running Python."""
    return str(Path(sys.executable).with_name(name))
