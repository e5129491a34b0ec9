"""Processes as a service manager runs them: whatever dies is started again, until the test is over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

AGAIN_S = 0.2


class Supervised:
    """`victim` gives the pid that `kill` kills, by default the process itself."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        victim: Callable[[], int | None] | None = None,
    ) -> None:
        self._command, self._log = list(command), log
        self._environment = {**os.environ, **(environment or {})}
        self._victim = victim or (lambda: self._process.pid if self._process else None)
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.starts = 0
        self.kills = 0

    def __enter__(self) -> Supervised:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self) -> bool:
        """kill -9; False when there is nothing to kill right now."""
        pid = self._victim()
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills += 1
        return True

    def signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def rest(self) -> None:
        """From now on what ends is not started again."""
        self._over.set()

    def stop(self) -> None:
        self.rest()
        self._thread.join(10)
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _watch(self) -> None:
        # The thread that starts a process must live as long as the process: a death signal hangs on it.
        while not self._over.is_set():
            if self._process is None or self._process.poll() is not None:
                with self._log.open("ab") as log:
                    self._process = subprocess.Popen(
                        self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
                    )
                self.starts += 1
            self._over.wait(AGAIN_S)
