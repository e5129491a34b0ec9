"""A real Mosquitto for tests, with the configuration that the product writes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from cloud.fleet import keys as hub_keys
from provisioning import ca, mosquitto

MISSING = "Mosquitto is not installed: tools/system-packages.sh installs it"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def binary() -> str:
    """Mosquitto's path; the test is skipped, with the reason printed, where it cannot be had."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        pytest.skip(MISSING)
    return found


def box_certificate(keys: Path, folder: Path, box: str, now: datetime) -> None:
    """Into `folder`: box.key, and box.crt as the hub with these keys issues it."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    issued = hub_keys.issue(keys, box, request.public_bytes(Encoding.PEM).decode(), now)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "box.crt").write_text(issued.pem)
    (folder / "box.key").write_bytes(ca.key_pem(key))


@contextlib.contextmanager
def tls_broker(keys: Path, folder: Path, port: int | None = None) -> Iterator[int]:
    """Mosquitto with TLS and ACL on a port of its own; yields the port."""
    port = port or free_port()
    config = mosquitto.write(keys, folder, "127.0.0.1", port)
    if os.getuid() == 0:
        # Started by root it becomes the user `mosquitto`, who may not look into root's temporary folders.
        config.write_text("user root\n" + config.read_text())
    process = subprocess.Popen([binary(), "-c", str(config)], stderr=subprocess.PIPE)
    try:
        _wait(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
    process.kill()
    raise RuntimeError((process.communicate()[1] or b"").decode())
