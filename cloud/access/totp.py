"""Time-based one-time passwords: RFC 6238 over HMAC-SHA-1, 30 seconds, 6 digits, as every authenticator app makes them (Y-10)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime
from urllib.parse import quote

STEP_SECONDS = 30
DIGITS = 6
DRIFT = 1
"""Steps before and after now that count too: phones' clocks differ."""


def new_secret() -> str:
    """160 random bits in base 32, as apps read them."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def is_secret(text: str) -> bool:
    return re.fullmatch(r"[A-Z2-7]{32}", text) is not None


def step_of(now: datetime) -> int:
    return int(now.timestamp()) // STEP_SECONDS


def code(secret: str, step: int, digits: int = DIGITS) -> str:
    """The code of one step (RFC 4226 5.3)."""
    digest = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(secret: str, typed: str, now: datetime, after: int) -> int | None:
    """The step whose code this is, later than `after` (no code works twice); None when it is none of those near now."""
    plain = typed.replace(" ", "")
    here = step_of(now)
    found = None
    for step in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(code(secret, step).encode(), plain.encode()) and step > after:
            found = step
    return found


def address(secret: str, number: str, issuer: str = "Gatehouse") -> str:
    """What the QR code for the app holds."""
    return f"otpauth://totp/{quote(issuer)}:{quote(number)}?secret={secret}&issuer={quote(issuer)}"
