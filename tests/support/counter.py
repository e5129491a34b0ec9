"""A counter with people: a cashier who may ask, a manager who decides, and what the books must say afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloud.access import service as access
from cloud.access.domain import Principal
from cloud.counter import service as counter
from cloud.ledger import service as ledger
from cloud.shared.db import Database, Tx
from cloud.shared.hub import Hub
from cloud.wallets import service as wallets
from tests.support.approvals import person
from tests.support.money import BOTH, EAST, NOON


@dataclass
class Counter:
    """A cashier's shift at window 1 of project 11, a manager and HQ's finance."""

    hub: Hub
    cashier: Principal
    manager: Principal
    finance: Principal
    shift: counter.Shift

    @property
    def db(self) -> Database:
        return self.hub.db

    @property
    def who(self) -> counter.Person:
        assert self.cashier.user_id is not None
        return counter.Person(self.cashier.user_id, self.cashier.number, self.cashier.name)

    async def pay(self, wanted: counter.CollectRequest, at: datetime = NOON) -> counter.Receipt:
        async with self.db.tx(EAST) as tx:
            return await counter.collect(tx, wanted, self.who, at)

    def wanted(self, room: int, lines: list[int], total: int, *offers: counter.Offer, key: str = "key-0001", **more: object):
        return counter.CollectRequest(
            11, room, tuple(lines), offers or (counter.Offer("cash", total),), total, key, self.shift.id, "窗口 1",
            **more,  # type: ignore[arg-type]  # fields by name
        )  # fmt: skip

    async def void(
        self, receipt: int, *, at: datetime = NOON, by: Principal | None = None, key: str = "void-0001"
    ) -> access.Approval:
        """Ask for a void and have it approved."""
        async with self.db.tx(EAST) as tx:
            asked = await counter.ask_void(tx, self.cashier, receipt, reason="金额打错", key=key, terminal="窗口 1", now=at)
        return await self.decide(asked, at=at, by=by)

    async def move(self, receipt: int, room: int, *, at: datetime = NOON, key: str = "move-0001") -> access.Approval:
        async with self.db.tx(EAST) as tx:
            asked = await counter.ask_move(
                tx, self.cashier, receipt, room, reason="收错了房间", key=key, terminal="窗口 1", now=at
            )
        return await self.decide(asked, at=at)

    async def decide(self, asked: access.Approval, *, at: datetime = NOON, by: Principal | None = None) -> access.Approval:
        return await access.decide(self.hub, by or self.manager, asked.id, approve=True, note="", terminal="办公室", now=at)

    async def receipt(self, receipt: int) -> counter.Receipt:
        async with self.db.tx(EAST) as tx:
            return await counter.receipt(tx, receipt)

    async def newest(self, n: int = 1) -> list[counter.Receipt]:
        """The last receipts of the project, newest first."""
        async with self.db.tx(EAST) as tx:
            rows = await tx.fetch_all("SELECT id FROM receipts WHERE project_id = 11 ORDER BY id DESC LIMIT %s", (n,))
            return [await counter.receipt(tx, row["id"]) for row in rows]


async def at_counter(hub: Hub) -> Counter:
    hub.approval_handlers = {
        counter.VOID: counter.void_approved,
        counter.MOVE: counter.move_approved,
        counter.LATE: counter.late_entry_approved,
    }
    cashier = await person(hub, "0201", "cashier")
    manager = await person(hub, "0301", "project_manager")
    finance = await person(hub, "0001", "hq_finance")
    assert cashier.user_id is not None
    async with hub.db.tx(EAST) as tx:
        shift = await counter.open_shift(
            tx, project_id=11, person=counter.Person(cashier.user_id, "0201", cashier.name), terminal="窗口 1",
            float_fen=20_000, at=NOON,
        )  # fmt: skip
    return Counter(hub, cashier, manager, finance, shift)


async def proved(db: Database) -> dict[str, int]:
    """The proof holds, the ledger balances, money held agrees; the counts."""
    async with db.tx(BOTH) as tx:
        report = await counter.verify(tx)
        assert report.ok, report.faults
        assert await ledger.balanced(tx)
        assert await wallets.faults(tx) == []
        return await counter.counts(tx)


async def takings(tx: Tx, day: datetime = NOON) -> dict[str, int]:
    """tender -> fen of a business date, as headquarters sees it."""
    rows = await tx.fetch_all(
        "SELECT tender, sum(amount_fen)::bigint AS fen FROM report_takings WHERE business_date = %s GROUP BY tender",
        (day.date(),),
    )
    return {row["tender"]: row["fen"] for row in rows}


async def state(tx: Tx) -> list[tuple[object, ...]]:
    """Every charge line and wallet as it stands: what a reversal must restore (Q-63)."""
    lines = await tx.fetch_all(
        "SELECT id, status, paid_fen, late_fee_fen, late_paid_fen, discount_fen FROM charge_lines ORDER BY id", ()
    )
    held = await tx.fetch_all("SELECT id, balance_fen FROM wallets ORDER BY id", ())
    deposits = await tx.fetch_all("SELECT id, balance_fen FROM deposits ORDER BY id", ())
    return [tuple(row.values()) for row in (*lines, *held, *deposits)]
