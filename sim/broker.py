"""The demo's broker: Mosquitto where it is installed, else rumqttd from the package `iotcore`. Loopback only, never a customer's.

`python -m sim.broker PORT FOLDER` runs it in the foreground and dies with its parent.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

MAX_PAYLOAD = 1_048_576

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_packet_size {payload}
persistence false
log_type error
log_type warning
"""


def mosquitto() -> str | None:
    """Mosquitto's path, also where Debian puts it outside an ordinary user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def main(port: int, folder: Path) -> None:
    """Run until killed; the broker keeps nothing that matters, boxes and hub agree on what arrived."""
    folder.mkdir(parents=True, exist_ok=True)
    binary = mosquitto()
    if binary is not None:
        settings = folder / "mosquitto.conf"
        # Started by root it would become the user `mosquitto`, and a change of user clears the death signal.
        user = "user root\n" if os.getuid() == 0 else ""
        settings.write_text(user + _MOSQUITTO.format(port=port, payload=MAX_PAYLOAD))
        os.execv(binary, [binary, "-c", str(settings)])
    from iotcore import IotCoreBroker

    IotCoreBroker(listen="127.0.0.1", port=port, max_payload_size=MAX_PAYLOAD).run_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
