"""A scripted month of three projects balances to the fen and verifies (issue 4).

CI: 3 x 120 rooms; GATEHOUSE_FAULTS=full: 3 x 1,000. GATEHOUSE_SEED repeats another month.
"""

from __future__ import annotations

import os

import pytest

from cloud import proof
from tests.support import month_checks
from tests.support.month import Month

FULL = os.environ.get("GATEHOUSE_FAULTS") == "full"
ROOMS = 1_000 if FULL else 120
SEED = int(os.environ.get("GATEHOUSE_SEED", "20261101"))


@pytest.mark.timeout(1200)
async def test_a_month_of_three_projects_balances_to_the_fen(pg, hub_db, hub_database, tmp_path):
    month = await Month.make(hub_db, pg.app(hub_database), pg.superuser(hub_database), keys=tmp_path, rooms=ROOMS, seed=SEED)
    await month.run()
    await month_checks.everything(month)
    report = await proof.verify(hub_db)
    assert report["faults"] == []
    print(month.world.books.acts, report["entries"])
