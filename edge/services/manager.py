"""Telling the service manager how the box is (sd_notify(3)): a datagram to the socket it names; nothing where there is none."""

from __future__ import annotations

import os
import socket


class Manager:
    """`watchdog_s` is how often a sign of life is due, None when nobody waits for one."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        known = dict(os.environ) if environment is None else environment
        address = known.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = known.get("WATCHDOG_USEC", "")
        mine = known.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog_s = int(usec) / 1_000_000 / 3 if usec.isdigit() and mine else None

    @property
    def there(self) -> bool:
        return bool(self._address)

    def tell(self, *words: str) -> None:
        """`READY=1`, `WATCHDOG=1`, `STOPPING=1`, `STATUS=...`. Never raises."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            try:
                line.sendto("\n".join(words).encode(), self._address)
            except OSError:
                return
