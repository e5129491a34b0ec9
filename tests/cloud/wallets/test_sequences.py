"""Random sequences of everything that moves held money, against what must always be true (V-01, V-02, V-03, V-09, Q-63, Q-65)."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.app import approval_handlers
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Database, Tx
from cloud.shared.hub import Hub
from cloud.shared.live import Live
from cloud.shared.settings import Settings
from cloud.wallets import service as wallets
from protocols.errors import Refused
from tests.support import money
from tests.support.approvals import decide, person
from tests.support.held import DAMAGE, DEPOSIT, post, spend, top_up
from tests.support.hub import Postgres, StepClock
from tests.support.money import EAST, NOON

PURPOSES = st.sampled_from(["general", "water"])
MUCH, LITTLE = st.integers(1_000, 5_000), st.integers(1, 1_500)
ITEMS = tuple(replace(one, wallet_purpose=one.code) for one in money.ITEMS)
STEPS = st.one_of(
    st.tuples(st.just("credit"), PURPOSES, MUCH),
    st.tuples(st.just("debit"), PURPOSES, LITTLE),
    st.tuples(st.just("bill"), st.sampled_from(["water", "property"]), st.one_of(LITTLE, MUCH)),
    st.tuples(st.just("deduct")),
    st.tuples(st.just("transfer"), PURPOSES, LITTLE),
    st.tuples(st.just("refund"), PURPOSES, LITTLE),
    st.tuples(st.just("deposit"), MUCH),
    st.tuples(st.just("damage"), LITTLE, LITTLE),
    st.tuples(st.just("reverse"), st.integers(0, 30)),
)


class World:
    """One room and what was done to it. `sources`: entries that a receipt's void could take back."""

    def __init__(self, hub: Hub, people: dict[str, Any]) -> None:
        self.hub, self.people = hub, people
        self.numbers = itertools.count(1)
        self.sources: list[str] = []

    async def do(self, step: tuple[Any, ...]) -> None:
        """A step stands whole, or is refused and changes nothing."""
        before = await self.state()
        try:
            await getattr(self, step[0])(*step[1:])
        except Refused:
            assert await self.state() == before, step
        await self.check(step)

    async def credit(self, purpose: str, fen: int) -> None:
        async with self.hub.db.tx(EAST) as tx:
            await top_up(tx, fen, purpose=purpose, source=self._source("top"))

    async def debit(self, purpose: str, fen: int) -> None:
        async with self.hub.db.tx(EAST) as tx:
            await spend(tx, await self._wallet(tx, purpose), fen, self._source("spend"))

    async def bill(self, item: str, fen: int) -> None:
        number = next(self.numbers)
        async with self.hub.db.tx(EAST) as tx:
            one = money.line(101, fen, item=item, start=date(2000 + number // 12, number % 12 + 1, 1))
            await fees.add_lines(tx, company_id=1, project_id=11, lines=[one], at=NOON, by="0301")

    async def deduct(self) -> None:
        async with self.hub.db.tx(EAST) as tx:
            before = await wallets.wallets_of_room(tx, 11, 101)
            done = await wallets.deduct(tx, 11, [101], at=NOON, by="system")
            after = await wallets.wallets_of_room(tx, 11, 101)
            assert sum(one.balance_fen for one in before) - sum(one.balance_fen for one in after) == done.fen
            left = {one.purpose: one.balance_fen for one in after}
            for one in await fees.open_lines(tx, 11, 101, NOON.date()):
                if one.item.part_payment:
                    assert not left.get("general") and not left.get(one.item.wallet_purpose), "money was there for an open line"
            found = await tx.fetch_all("SELECT source FROM ledger_entries WHERE kind = 'wallet_deduct'", ())
        self.sources += [row["source"] for row in found if row["source"] not in self.sources]

    async def transfer(self, purpose: str, fen: int) -> None:
        number, other = next(self.numbers), "general" if purpose == "water" else "water"
        async with self.hub.db.tx(EAST) as tx:
            pair = {"from_id": await self._wallet(tx, purpose), "to_id": await self._wallet(tx, other)}
            how = {"reason": "业主签字", "key": f"t{number}", "terminal": "1", "now": NOON}
            asked = await wallets.ask_transfer(tx, self.people["cashier"], amount_fen=fen, **pair, **how)
        await decide(self.hub, self.people["hq"], asked)

    async def refund(self, purpose: str, fen: int) -> None:
        number = next(self.numbers)
        async with self.hub.db.tx(EAST) as tx:
            new = wallets.NewRefund(f"wallet:{await self._wallet(tx, purpose)}", fen, "cash", "业主101", "", "搬走")
            asked = await wallets.ask_refund(tx, self.people["cashier"], new, key=f"r{number}", terminal="1", now=NOON)
        await decide(self.hub, self.people["hq"], asked)

    async def deposit(self, fen: int) -> None:
        async with self.hub.db.tx(EAST) as tx:
            source = self._source("deposit")
            new = wallets.NewDeposit("renovation", "1-1-101", fen, "装修", room_id=101, payer_id=101)
            _, posting = await wallets.take(tx, 11, new, source=source, at=NOON, by="0201")
            await post(tx, 11, "deposit", source, posting, ledger.Posting("cash_drawer", fen, "shift:1"))

    async def damage(self, amount: int, more: int) -> None:
        number = next(self.numbers)
        async with self.hub.db.tx(EAST) as tx:
            held = [one for one in await wallets.deposits_of_room(tx, 11, 101) if one.balance_fen]
            if not held:
                return
            wanted = wallets.Deduction(amount, amount + more, "damage", "赔偿")
            how = {"key": f"d{number}", "terminal": "1", "now": NOON}
            asked = await wallets.ask_deduct(tx, self.people["cashier"], held[0].id, wanted, **how)
        await decide(self.hub, self.people["hq"], asked)

    async def reverse(self, which: int) -> None:
        if not self.sources:
            return
        source = self.sources[which % len(self.sources)]
        by = f"void:{source}"
        async with self.hub.db.tx(EAST) as tx:
            row = await tx.fetch_one("SELECT id FROM ledger_entries WHERE source = %s", (source,))
            if row is None:
                return
            await ledger.reverse(tx, row["id"], source=by, at=NOON, reason="作废", by="0301")
            if source.startswith("deduct:") and await wallets.reverse(tx, 11, source, by_source=by, at=NOON, by="0301"):
                await fees.unsettle(tx, 11, source, day=NOON.date(), by=by)
            await wallets.reverse(tx, 11, source, by_source=by, at=NOON, by="0301")

    async def check(self, step: tuple[Any, ...]) -> None:
        async with self.hub.db.tx(EAST) as tx:
            assert await wallets.faults(tx) == [], step
            assert await ledger.balanced(tx)
            below = "SELECT 1 FROM wallets WHERE balance_fen < 0 UNION ALL SELECT 1 FROM deposits WHERE balance_fen < 0"
            assert await tx.fetch_all(below, ()) == []
            crossed = await tx.fetch_all(
                """
                SELECT m.id FROM wallet_movements m JOIN wallets w ON w.id = m.wallet_id JOIN charge_lines c ON c.id = m.line_id
                JOIN fee_items i ON i.id = c.item_id WHERE w.purpose NOT IN ('general', i.wallet_purpose)
                """,
                (),
            )
            assert crossed == [], "purpose money paid for something else"
            settled = await tx.fetch_all(
                """
                SELECT c.id FROM charge_lines c
                WHERE c.paid_fen <> coalesce((SELECT -sum(amount_fen) FROM wallet_movements m WHERE m.line_id = c.id), 0)
                                  + coalesce((SELECT -sum(amount_fen) FROM deposit_movements m WHERE m.line_id = c.id), 0)
                """,
                (),
            )
            assert settled == [], "what a line says was paid is not what was taken for it"

    async def state(self) -> list[Any]:
        async with self.hub.db.tx(EAST) as tx:
            return [
                await tx.fetch_all(f"SELECT {what} ORDER BY 1", ())
                for what in (
                    "id, balance_fen FROM wallets WHERE balance_fen <> 0",
                    "id, balance_fen FROM deposits",
                    "id, paid_fen, status FROM charge_lines",
                    "id FROM ledger_entries",
                    "id FROM refunds",
                )
            ]

    async def _wallet(self, tx: Tx, purpose: str) -> int:
        return (await wallets.wallet(tx, 11, room_id=101, purpose=purpose)).id

    def _source(self, what: str) -> str:
        source = f"counter:{what}-{next(self.numbers)}"
        self.sources.append(source)
        return source


async def play(pg: Postgres, name: str, steps: list[tuple[Any, ...]]) -> None:
    db = await Database.open(pg.app(name), size=3)
    try:
        hub = Hub(Settings(), db, Live(db.dsn), StepClock())
        hub.approval_handlers = approval_handlers()
        world = World(hub, {"cashier": await person(hub, "c1", "cashier"), "hq": await person(hub, "h1", "hq_finance")})
        async with db.tx(EAST) as tx:
            await fees.put_items(tx, 1, (*ITEMS, DEPOSIT, DAMAGE))
        for step in (("credit", "water", 4_000), ("credit", "general", 3_000), ("deposit", 2_000), *steps):
            await world.do(step)
    finally:
        await db.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=6, max_size=16))
def test_whatever_is_done_held_money_agrees_with_the_ledger(pg, steps):
    """V-01, V-02, V-03, V-09, Q-63"""
    with pg.database("money_hub") as name:
        asyncio.run(play(pg, name, steps))
