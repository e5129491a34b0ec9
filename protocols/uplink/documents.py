"""Desired documents: a small signed manifest by MQTT, bodies by HTTPS, the switch only when all are there (DESIGN 2.5, L-37)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import Refused
from protocols.uplink import signing
from protocols.uplink.envelope import SCHEMA, compact

DocumentName = Literal["lanes", "tariffs", "passes", "calendar", "meters", "staff"]


class DocumentRef(BaseModel):
    """A document by its content: SHA-256 and size in bytes of its body; `valid_from` ISO 8601."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: DocumentName
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    valid_from: str


class Manifest(BaseModel):
    """What a box shall hold. `(generation, n)` only rises; `generation` rises when a hub was restored from a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: int = SCHEMA
    box: str
    generation: int = Field(ge=1)
    n: int = Field(ge=1)
    documents: tuple[DocumentRef, ...]


def reference(name: DocumentName, body: bytes, valid_from: str) -> DocumentRef:
    return DocumentRef(name=name, sha256=hashlib.sha256(body).hexdigest(), size=len(body), valid_from=valid_from)


def sign_manifest(manifest: Manifest, key: Ed25519PrivateKey) -> bytes:
    return signing.sign(signing.MANIFEST, compact(manifest.model_dump(mode="json")), key)


def open_manifest(
    message: bytes, box: str, current: tuple[int, int], keys: Mapping[str, Ed25519PublicKey]
) -> Manifest:
    """A manifest this box may switch to; `current` is the (generation, n) it holds, (0, 0) for none.

    Refused `bad_signature`, `bad_manifest`, `wrong_box`, `not_newer`.
    """
    payload = signing.verify(signing.MANIFEST, message, keys)
    try:
        manifest = Manifest.model_validate_json(payload)
    except ValidationError:
        raise Refused("bad_manifest", "清单格式不对", "not a manifest") from None
    if manifest.box != box:
        raise Refused("wrong_box", "清单是发给别的盒子的", f"manifest is for {manifest.box}")
    if (manifest.generation, manifest.n) <= current:
        raise Refused("not_newer", "清单不比现有的新", f"manifest {manifest.generation}.{manifest.n} is not newer")
    return manifest


def check_body(ref: DocumentRef, body: bytes) -> bytes:
    """The body, if it is the one the manifest names. Refused `wrong_body`."""
    if len(body) != ref.size or hashlib.sha256(body).hexdigest() != ref.sha256:
        raise Refused("wrong_body", "文件内容和清单不符", f"{ref.name}: content does not match its hash")
    return body
