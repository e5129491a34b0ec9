"""PINs of guards at a box's panel: stored as scrypt, checked without the hub (DESIGN 5)."""

from __future__ import annotations

import hashlib
import hmac

from protocols.errors import Refused

_N, _R, _P, _LENGTH = 2**14, 8, 1, 32


def hash_pin(pin: str, salt: bytes) -> str:
    """'scrypt$<salt hex>$<hash hex>' of a PIN of 4 to 12 digits. Refused `bad_pin`."""
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
        raise Refused("bad_pin", "口令是 4 到 12 位数字", "a PIN has 4 to 12 digits", field="pin")
    return f"scrypt${salt.hex()}${_scrypt(pin, salt).hex()}"


def check_pin(pin: str, stored: str) -> bool:
    """Is this the PIN behind the stored text? Takes about 50 ms on purpose; call it in a thread."""
    try:
        scheme, salt, digest = stored.split("$")
        wanted, given = bytes.fromhex(digest), _scrypt(pin, bytes.fromhex(salt))
    except ValueError:
        return False
    return scheme == "scrypt" and hmac.compare_digest(wanted, given)


def _scrypt(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=_LENGTH)
