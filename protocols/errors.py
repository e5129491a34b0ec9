"""The error vocabulary (DESIGN section 6): every raise says who must act.

Refused  the caller's input or state is wrong; nothing changed.
Retry    a dependency is away; the work is kept and tried again.
Stop     an invariant is broken; log, alarm, stop that unit, never guess.
"""

from __future__ import annotations


class GatehouseError(Exception):
    """Base of the three kinds.

    code    stable, machine-readable, snake_case or the CAPITALS a requirement names
    zh, en  one human sentence each; zh is what a cashier reads
    field   the input at fault, as the caller names it
    facts   further JSON-able values for the problem document and the log
    """

    def __init__(self, code: str, zh: str, en: str = "", *, field: str | None = None, **facts: object) -> None:
        super().__init__(f"{code}: {en or zh}")
        self.code = code
        self.zh = zh
        self.en = en or zh
        self.field = field
        self.facts = facts


class Refused(GatehouseError):
    """The caller's input or state is wrong: a stable code, a sentence, the field; nothing changed."""


class NotAllowed(Refused):
    """The caller is known but may not do this, or may not know that it exists."""


class NotFound(Refused):
    """What the caller named does not exist inside the caller's scope."""


class Conflict(Refused):
    """The state moved on: somebody else was first, or the idempotency key was used for other content."""


class Retry(GatehouseError):
    """A dependency is away: keep the work and try again with a bound and jitter."""


class Stop(GatehouseError):
    """An invariant is broken: log, alarm, stop that unit, never guess."""
