"""Who owes what as of any day, and what is done about it (REQUIREMENTS 7, 8). Callers hand in their transaction."""

from __future__ import annotations

from cloud.arrears.contacts import note_contact
from cloud.arrears.domain import BUCKETS, limitation
from cloud.arrears.domain_dunning import LEVELS, PREFIX
from cloud.arrears.dunning import KIND as DUNNING
from cloud.arrears.dunning import Order, paper, runner, scanned, serve, start
from cloud.arrears.dunning import get as notice
from cloud.arrears.standing import Age, Asked, Standing, check_day, chosen, holder, look, owed
from cloud.arrears.warnings import KINDS as WARNINGS
from cloud.arrears.warnings import keep_warning, still_true

__all__ = [
    "BUCKETS",
    "DUNNING",
    "LEVELS",
    "PREFIX",
    "WARNINGS",
    "Age",
    "Asked",
    "Order",
    "Standing",
    "check_day",
    "chosen",
    "holder",
    "keep_warning",
    "limitation",
    "look",
    "note_contact",
    "notice",
    "owed",
    "paper",
    "runner",
    "scanned",
    "serve",
    "start",
    "still_true",
]
