"""Who owes what as of any day, and what is done about it (REQUIREMENTS 7, 8). Callers hand in their transaction."""

from __future__ import annotations

from cloud.arrears.contacts import note_contact
from cloud.arrears.domain import BUCKETS, limitation
from cloud.arrears.standing import Age, Asked, Standing, check_day, chosen, holder, look, owed

__all__ = [
    "BUCKETS",
    "Age",
    "Asked",
    "Standing",
    "check_day",
    "chosen",
    "holder",
    "limitation",
    "look",
    "note_contact",
    "owed",
]
