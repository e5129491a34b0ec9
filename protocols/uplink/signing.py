"""Signed messages: Ed25519 over the exact bytes that travel.

`{"key": id, "payload": text, "sig": hex}`: the signature covers a purpose word and the payload text, so that a signature made
for one purpose is worth nothing for another. Key ids are the first 16 hex digits of SHA-256 over the raw public key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, ValidationError

from protocols.errors import Refused
from protocols.uplink.envelope import compact

MANIFEST = "gatehouse manifest"
COMMAND = "gatehouse command"
NOTICE = "gatehouse payment notice"


class Signed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    payload: str
    sig: str


def key_id(public: Ed25519PublicKey) -> str:
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def sign(purpose: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signed message as bytes."""
    signature = key.sign(purpose.encode() + b"\n" + payload)
    return compact({"key": key_id(key.public_key()), "payload": payload.decode(), "sig": signature.hex()})


def verify(purpose: str, message: bytes, keys: Mapping[str, Ed25519PublicKey]) -> bytes:
    """The payload of a message signed for this purpose by one of `keys` (by key id).

    Refused `bad_signature`: not signed, by an unknown key, for another purpose, or altered.
    """
    try:
        signed = Signed.model_validate_json(message)
        payload, signature = signed.payload.encode(), bytes.fromhex(signed.sig)
    except (ValidationError, ValueError):
        raise Refused("bad_signature", "签名不对", "not a signed message") from None
    public = keys.get(signed.key)
    if public is None:
        raise Refused("bad_signature", "签名的密钥不认识", "unknown signing key")
    try:
        public.verify(signature, purpose.encode() + b"\n" + payload)
    except InvalidSignature:
        raise Refused("bad_signature", "签名不对", "signature does not match") from None
    return payload
