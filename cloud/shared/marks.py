"""The idempotency key of the request at hand, which the database layer marks as it commits (see once.py)."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A request that carries a key: `attempt` is this request's own word for itself."""

    user_id: int
    key: str
    route: str
    attempt: str


CURRENT: ContextVar[Mark | None] = ContextVar("idempotency_mark", default=None)
