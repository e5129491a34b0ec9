"""A scripted month of three projects balances to the fen and verifies (issue 4).

Bills, payments by five cashiers at once, voids, moves, waivers, refunds, deposits, closes, the bank, sales, a price change,
erased owners: in the product, and by plain arithmetic in a second set of books (tests/support/month_books.py).
CI: 3 x 120 rooms; GATEHOUSE_FAULTS=full: 3 x 1,000. GATEHOUSE_SEED makes another month.
"""

from __future__ import annotations

import os
import random
from datetime import date
from types import SimpleNamespace

import pytest

from cloud import proof
from cloud.access import service as access
from cloud.counter import service as counter
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Database
from protocols.errors import Refused
from tests.support import month_checks
from tests.support.hub import CLOSE_KEY
from tests.support.month import LAST, Month
from tests.support.month_world import at

FULL = os.environ.get("GATEHOUSE_FAULTS") == "full"
ROOMS = 1_000 if FULL else 120
SEED = int(os.environ.get("GATEHOUSE_SEED", "20261101"))
ACTS = {
    "part payment", "from a wallet", "kept", "deposit", "mixed", "voided", "moved", "raced", "power cut", "waived", "adjusted",
    "cancelled", "deducted", "wallet transfer", "wallet refunded", "deposit deducted", "deposit offset", "deposit refunded",
    "over or short", "banked", "short slip", "never came", "sold", "entered late", "erased", "receipt refunded",
}  # fmt: skip
"""What a month must have seen, or it proves less than it says."""


@pytest.mark.timeout(1800)
async def test_a_month_of_three_projects_balances_to_the_fen(pg, hub_db, hub_database, tmp_path):
    month = await Month.make(hub_db, pg.app(hub_database), pg.superuser(hub_database), keys=tmp_path, rooms=ROOMS, seed=SEED)
    await month.run()
    acts = month.world.books.acts
    assert {name for name in ACTS if not acts[name]} == set(), acts
    await month_checks.everything(month)
    witness = [ledger.parse_witness(f"{one.day}", str(one.signed), CLOSE_KEY.public_key()) for one in month.vault.closes]
    report = await proof.verify(hub_db, witness)
    assert report["faults"] == []
    assert len(witness) == 90 and report["projects"] == 3 and report["entries"] > ROOMS * 5
    await _closed_for_ever(month)


async def _closed_for_ever(month: Month) -> None:
    """C-34, C-38: nobody posts into a closed day, nobody bills a closed month."""
    site = month.world.sites[0]
    async with month.world.db.tx(site.scope) as tx:
        postings = [ledger.Posting("cash_drawer", 1, "shift:1"), ledger.Posting("revenue:parking", -1)]
        late = ledger.Request(site.project, "counter_test", "late:1", at(LAST, 9), at(LAST, 9), LAST, postings)
        with pytest.raises(Refused, match="day_closed"):
            await ledger.post(tx, late)
    async with month.world.db.tx(site.scope) as tx:
        with pytest.raises(Refused, match="month_closed"):
            await ledger.require_open_month(tx, site.project, date(2026, 11, 16))


async def test_a_wallet_that_pays_is_not_filled_by_the_same_receipt(pg, hub_db, hub_database, tmp_path):
    """V-01: one movement of a wallet an entry, so that each links to its receipt (V-03); the cashier hears what to do."""
    month = await Month.make(hub_db, pg.app(hub_database), pg.superuser(hub_database), keys=tmp_path, rooms=20, seed=1)
    site, now = month.world.sites[0], at(date(2026, 11, 2), 9)
    clerk, (code, room) = site.clerks[0], min(site.rooms.items())
    new = fees.NewLine("water", room.id, code, room.payer_id, date(2026, 10, 1), date(2026, 11, 1), "1", 5_000, date(2026, 11, 9))
    async with hub_db.tx(site.scope) as tx:
        opened = await counter.open_shift(
            tx, project_id=site.project, person=clerk.person, terminal=clerk.terminal, float_fen=0, at=now
        )
        fill = (counter.TopUp("general", 2_000),)
        request = counter.CollectRequest(
            site.project, room.id, (), (counter.Offer("cash", 2_000),), 0, "fill-0001", opened.id, clerk.terminal, top_ups=fill
        )
        await counter.collect(tx, request, clerk.person, now)
        row = await tx.fetch_one("SELECT id FROM wallets WHERE room_id = %s", (room.id,))
        assert row is not None
        await fees.add_lines(tx, company_id=site.company, project_id=site.project, lines=[new], at=now, by="0201")
        lines = tuple(one.id for one in await counter.open_lines(tx, site.project, room.id, now))
    offers = (counter.Offer("wallet", 2_000, f"wallet:{row['id']}"), counter.Offer("cash", 10_000))
    request = counter.CollectRequest(
        site.project, room.id, lines, offers, 5_000, "both-0001", opened.id, clerk.terminal, keep_excess=True
    )
    async with hub_db.tx(site.scope) as tx:
        with pytest.raises(Refused, match="wallet_both_ways"):
            await counter.collect(tx, request, clerk.person, now)


@pytest.mark.timeout(300)
async def test_the_same_seed_gives_the_same_chains(pg, tmp_path, monkeypatch):
    """Everything that enters an entry comes from what people do and when; only the salts of names (Y-13) are drawn, and are given
    here. With cashiers at once the order of entries is the database's: then sums are the same, hashes are not.
    """
    heads: list[list[dict[str, object]]] = []
    for run in ("first", "second"):
        monkeypatch.setattr(ledger, "secrets", SimpleNamespace(token_bytes=random.Random(SEED).randbytes))
        with pg.database("empty_hub") as name:
            db = await Database.open(pg.app(name))
            try:
                keys = tmp_path / run
                keys.mkdir()
                month = await Month.make(db, pg.app(name), pg.superuser(name), keys=keys, rooms=14, seed=SEED, serial=True)
                await month.run(date(2026, 11, 10))
                async with db.tx(await access.everything(db)) as tx:
                    # By the facts first: a difference names the entry.
                    rows = await tx.fetch_all(
                        "SELECT project_id, seq, kind, source, body, encode(hash, 'hex') AS hash FROM ledger_entries"
                        " ORDER BY project_id, seq",
                        (),
                    )
                    heads.append(rows)
            finally:
                await db.close()
    assert len(heads[0]) == len(heads[1]) > 100
    assert next((pair for pair in zip(*heads, strict=True) if pair[0] != pair[1]), None) is None
