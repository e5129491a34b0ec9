"""Identity numbers at rest (O-05): AES-256-GCM under a key of the hub's key folder, an HMAC under another to find the same again.

The keys are made at first use and never leave the folder; the database alone tells no number. `docs/operating.md`: keep a copy.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protocols.errors import Stop

NAME = "identity.key"
_VERSION = b"\x01"
_BYTES = 64


@dataclass(frozen=True, slots=True)
class IdentityKeys:
    """`cipher` encrypts, `digest` compares; 32 bytes each."""

    cipher: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def seal(self, text: str, context: str) -> bytes:
        """version, first 4 bytes of the key's hash, nonce, ciphertext with tag. `context`: whose it is ('project:11'); it
        opens nowhere else."""
        nonce = secrets.token_bytes(12)
        return _VERSION + self._mark + nonce + AESGCM(self.cipher).encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Stop `identity_key` when another key sealed it, `identity_broken` when it was altered or moved."""
        if sealed[:1] != _VERSION or sealed[1:5] != self._mark:
            raise Stop("identity_key", "证件号码是用另一把密钥加密的", f"the sealed value is not of the key in {NAME}")
        try:
            return AESGCM(self.cipher).decrypt(sealed[5:17], sealed[17:], context.encode()).decode()
        except InvalidTag as problem:
            raise Stop("identity_broken", "证件号码的密文被动过", "a sealed identity number does not open") from problem

    def compare(self, number: str) -> bytes:
        """The same for the same number, in every project; tells nothing without the key."""
        return hmac.new(self.digest, number.encode(), hashlib.sha256).digest()

    @property
    def _mark(self) -> bytes:
        return hashlib.sha256(self.cipher).digest()[:4]


@cache
def identity_keys(folder: Path) -> IdentityKeys:
    """The keys of a hub, made when there are none. Stop `identity_key` for a file that holds something else."""
    path = folder / NAME
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    found = path.read_bytes()
    if len(found) != _BYTES:
        raise Stop("identity_key", f"{NAME} 不是这个程序的密钥", f"{path} does not hold {_BYTES} bytes")
    return IdentityKeys(found[:32], found[32:])


def _make(path: Path) -> None:
    """Whole or not at all, readable by its owner alone; of two processes at once one wins."""
    fresh = path.with_name(f".{NAME}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
