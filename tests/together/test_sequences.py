"""Random sequences of use cases against the invariants of the money (issue 4, "Bad input").

Hypothesis draws what people do, in any order, with repetitions, wrong sums, strangers' ids and a clock that is set back. Each
step is done or refused; after each one the books are looked at as a database administrator would, by other means than the
product's (tests/support/sequences_invariants.py), at the end `verify` must find nothing. What breaks is shrunk to the shortest
sequence that shows it.

GATEHOUSE_SEED draws other sequences, GATEHOUSE_SEQUENCES more of them, GATEHOUSE_STEPS longer ones; GATEHOUSE_FAULTS=full: many.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from cloud.shared.db import Database
from tests.support.sequences_cash import WithCash
from tests.support.sequences_counter import AtTheCounter
from tests.support.sequences_office import InTheOffice
from tests.support.sequences_world import People, Template, furnish

FULL = os.environ.get("GATEHOUSE_FAULTS") == "full"
SEQUENCES = int(os.environ.get("GATEHOUSE_SEQUENCES", "1000" if FULL else "50"))
STEPS = int(os.environ.get("GATEHOUSE_STEPS", "60" if FULL else "45"))
SEED = int(os.environ.get("GATEHOUSE_SEED", "20261125"))


ACTS = {
    "billed", "collected", "collected: part", "collected: cash", "paid ahead", "sent again", "two at once", "voided at once",
    "charge.adjust approved", "sale asked", "day closed", "handed over", "slip made", "late_entry approved", "disputed",
    "refund asked",
}  # fmt: skip
"""What the sequences of a run must have seen, or they prove less than they say."""


class Days(AtTheCounter, InTheOffice, WithCash):
    """Everything that people do with money in a project, in any order."""


async def _furnished(dsn: str, keys: Path) -> People:
    db = await Database.open(dsn)
    try:
        return await furnish(db, dsn, keys)
    finally:
        await db.close()


@pytest.fixture
def template(pg, hub_keys):
    """A furnished database that each sequence copies."""
    with pg.database("money_hub") as name:
        yield Template(name, asyncio.run(_furnished(pg.app(name), hub_keys)))


@pytest.mark.timeout(7200)
def test_no_sequence_of_use_cases_breaks_the_books(pg, template, hub_keys):
    """Postings balance, balances are the entries, wallets >= 0, receipts gapless, no line both paid and open."""
    done: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    machine = type("Days", (Days,), {"pg": pg, "template": template, "keys": hub_keys, "done": done, "refused": refused})
    run_state_machine_as_test(
        seed(SEED)(machine),
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    told = "\n".join(f"{name}: {n}" for name, n in sorted(done.items()))
    assert {name for name in ACTS if not done[name]} == set(), told
