"""A new box meets the hub: both prove that they know the one-time claim code, and neither says it aloud (B-01, B-02).

The technician types the code that the hub showed into the box. The box sends its certificate request with a proof made of the
code; the hub answers with the certificate and a proof of its own. Whoever sits in between learns nothing and can replace nothing,
so the first contact needs no certificate to trust. A code has 80 random bits, is good once and for 15 minutes.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from protocols.errors import Refused
from protocols.uplink.envelope import compact

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 characters without I, O, 0 and 1: nobody mistakes one for another."""

CODE_LENGTH = 16
GOOD_FOR_S = 900


def new_code(random: bytes) -> str:
    """16 random bytes -> 'ABCD-EFGH-JKLM-NPQR'."""
    letters = "".join(ALPHABET[byte % 32] for byte in random[:CODE_LENGTH])
    return "-".join(letters[at : at + 4] for at in range(0, CODE_LENGTH, 4))


def normalise(code: str) -> str:
    """What a person typed -> the code's letters. Refused `bad_claim_code`."""
    letters = code.upper().replace("-", "").replace(" ", "")
    if len(letters) != CODE_LENGTH or any(letter not in ALPHABET for letter in letters):
        raise Refused("bad_claim_code", "开通码是 16 位，没有 0、1、I、O", "a claim code has 16 characters", field="code")
    return letters


def lookup(code: str) -> str:
    """What the hub finds a code by, 16 hex digits; it says nothing about the code's key."""
    return hashlib.sha256(b"gatehouse claim lookup\n" + normalise(code).encode()).hexdigest()[:16]


def secret(code: str) -> bytes:
    """The key both sides derive; the hub stores this and never the code."""
    return hashlib.sha256(b"gatehouse claim secret\n" + normalise(code).encode()).digest()


def proof(key: bytes, side: str, content: bytes) -> str:
    """`side` is 'box' or 'hub', so that one side's proof cannot be sent back as the other's."""
    return hmac.new(key, f"gatehouse claim {side}\n".encode() + content, hashlib.sha256).hexdigest()


class ClaimRequest(BaseModel):
    """Box -> hub, POST /box/claim: `csr` PEM, `proof` over its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lookup: str
    csr: str
    proof: str


class ClaimGrant(BaseModel):
    """What the hub gives: certificates PEM, document keys hex, addresses for the box's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    box: str
    certificate: str
    ca: str
    document_keys: list[str]
    brokers: list[str]
    hub_url: str


class ClaimAnswer(BaseModel):
    """Hub -> box: `grant` as the exact text the proof covers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grant: str
    proof: str


def request(code: str, csr: str) -> bytes:
    """The box's request body."""
    return compact({"lookup": lookup(code), "csr": csr, "proof": proof(secret(code), "box", csr.encode())})


def check_request(message: ClaimRequest, key: bytes) -> None:
    """Refused `bad_claim_proof` when the sender does not know the code or the request was changed on its way."""
    if not hmac.compare_digest(message.proof, proof(key, "box", message.csr.encode())):
        raise Refused("bad_claim_proof", "开通码不对", "the proof does not match the claim code")


def answer(grant: ClaimGrant, key: bytes) -> dict[str, Any]:
    """The hub's answer body."""
    text = compact(grant.model_dump(mode="json")).decode()
    return {"grant": text, "proof": proof(key, "hub", text.encode())}


def open_answer(code: str, body: bytes) -> ClaimGrant:
    """What the box may believe. Refused `bad_claim_answer` when the sender does not know the code."""
    try:
        message = ClaimAnswer.model_validate_json(body)
        if not hmac.compare_digest(message.proof, proof(secret(code), "hub", message.grant.encode())):
            raise Refused("bad_claim_answer", "对方不是总部，开通停止", "the answer was not made by the hub")
        return ClaimGrant.model_validate_json(message.grant)
    except ValidationError:
        raise Refused("bad_claim_answer", "总部的回复看不懂，开通停止", "not a claim answer") from None
