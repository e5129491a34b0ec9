"""Mosquitto as Gatehouse needs it: TLS only, client certificates, and an ACL that holds each box to its own subtree."""

from __future__ import annotations

from pathlib import Path

from protocols.uplink.topics import ROOT

ACL = f"""\
# A certificate's common name is the user: a box is its own id, the hub is `hub`.
user hub
topic readwrite {ROOT}/+/down/#
topic read {ROOT}/+/up/#

pattern write {ROOT}/%u/up/#
pattern read {ROOT}/%u/down/#
"""


def settings(keys: Path, folder: Path, address: str, port: int) -> str:
    """mosquitto.conf. Queues are unbounded on purpose: by default Mosquitto drops silently beyond 1,000 messages."""
    return f"""\
per_listener_settings true
max_queued_messages 0
max_packet_size 4194304
persistence false
log_type error
log_type warning

listener {port} {address}
allow_anonymous false
cafile {keys / "ca.crt"}
certfile {keys / "broker.crt"}
keyfile {keys / "broker.key"}
require_certificate true
use_identity_as_username true
acl_file {folder / "acl"}
"""


def write(keys: Path, folder: Path, address: str, port: int) -> Path:
    """Write mosquitto.conf and acl into `folder`; returns the path of mosquitto.conf."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "acl").write_text(ACL)
    path = folder / "mosquitto.conf"
    path.write_text(settings(keys, folder, address, port))
    return path
