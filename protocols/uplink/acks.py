"""The hub's acknowledgement: what is committed, what to send again, and witnesses of the ledger's chains (DESIGN 2.3, 3)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import Refused
from protocols.uplink.envelope import SCHEMA, Stream, compact


class Head(BaseModel):
    """The head of a project's ledger chain at the moment of the acknowledgement; boxes keep these append-only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: int
    seq: int = Field(ge=0)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class Ack(BaseModel):
    """`through`: every event of this epoch up to and with this seq is committed. `resend_from`: send again from here.

    `quarantined`: the hub has seen another event under one of these identities; it takes nothing from this box (B-08).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: int = SCHEMA
    box: str
    stream: Stream
    epoch: str
    through: int = Field(ge=0)
    resend_from: int | None = Field(default=None, ge=1)
    quarantined: bool = False
    at: str
    heads: tuple[Head, ...] = ()


def encode_ack(ack: Ack) -> bytes:
    return compact(ack.model_dump(mode="json", exclude_none=True))


def decode_ack(payload: bytes) -> Ack:
    """Refused `bad_ack` for anything else."""
    try:
        return Ack.model_validate_json(payload)
    except ValidationError:
        raise Refused("bad_ack", "回执格式不对", "not an acknowledgement") from None
