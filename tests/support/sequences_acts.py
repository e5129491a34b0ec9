"""How a step of tests/together/test_sequences.py is carried out: a use case in a transaction, done or refused, then looked at."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psycopg
from hypothesis.stateful import RuleBasedStateMachine, invariant

from cloud import proof
from cloud.access import service as access
from cloud.access.service import Approval, Principal
from cloud.counter import service as counter
from cloud.shared.db import Tx
from protocols.errors import GatehouseError, Retry, Stop
from tests.support.hub import CLOSE_KEY, Postgres
from tests.support.sequences_invariants import broken
from tests.support.sequences_world import HERE, PROJECT, Place, Template, Window, days_before

T = TypeVar("T")
CHIEFS = ("receipt.void", "receipt.move", "owner.transfer")
"""Kinds that headquarters does not decide."""


class Acts(RuleBasedStateMachine):
    """A place of its own and what was done there; `done`, `refused`: over all sequences of a run."""

    pg: ClassVar[Postgres]
    template: ClassVar[Template]
    keys: ClassVar[Path]
    done: ClassVar[Counter[str]]
    refused: ClassVar[Counter[tuple[str, str]]]

    def __init__(self) -> None:
        super().__init__()
        self.place = Place.open(self.pg, self.template, self.keys)
        self.people = self.place.people
        self.windows = [
            Window(who, shift.terminal, shift) for who, shift in zip(self.people.clerks, self.people.shifts, strict=True)
        ]
        self.eyes = psycopg.connect(self.place.admin.dsn, autocommit=True)
        self.waiting: list[Approval] = []
        self.keys_used = 0

    def teardown(self) -> None:
        try:
            report = self.run(proof.verify(self.place.db, close_key=CLOSE_KEY.public_key()))
            assert report["faults"] == []
        finally:
            self.eyes.close()
            self.place.close()

    def check_invariants(self, settings: Any, output: Callable[[str], object], runtimes: Any) -> None:
        """As Hypothesis does, but what is printed of a sequence are the steps alone."""
        super().check_invariants(settings, lambda text: None, runtimes)

    @invariant()
    def the_books_hold(self) -> None:
        found = broken(self.eyes)
        assert not found, found

    # ---- how a step is made

    @property
    def now(self) -> datetime:
        return self.place.clock.time

    @property
    def today(self) -> date:
        return days_before(self.now, 0)

    def key(self, what: str) -> str:
        self.keys_used += 1
        return f"{what}-{self.keys_used:06d}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.place.runner.run(work)

    def rows(self, query: str, *params: object) -> list[tuple[Any, ...]]:
        return self.eyes.execute(query, params).fetchall()

    def try_(self, name: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """What came of it; None when it was refused: then nothing moved. A broken invariant or a lost race is a failure."""

        async def attempt() -> T:
            return await work()

        try:
            found = self.run(attempt())
        except (Stop, Retry):
            raise
        except GatehouseError as problem:
            self.refused[name, problem.code] += 1
            return None
        self.done[name] += 1
        return found

    def act(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T | None:
        """`try_` in a transaction of the company."""

        async def whole() -> T:
            async with self.place.db.tx(HERE) as tx:
                return await work(tx)

        return self.try_(name, whole)

    def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with self.place.db.tx(HERE) as tx:
                return await work(tx)

        return self.run(whole())

    def at_once(self, *works: Callable[[Tx], Awaitable[T]]) -> list[T | GatehouseError]:
        """Each in a transaction of its own, side by side."""

        async def one(work: Callable[[Tx], Awaitable[T]]) -> T | GatehouseError:
            try:
                async with self.place.db.tx(HERE) as tx:
                    return await work(tx)
            except (Stop, Retry):
                raise
            except GatehouseError as problem:
                return problem

        async def both() -> list[T | GatehouseError]:
            return list(await asyncio.gather(*(one(work) for work in works)))

        return self.run(both())

    def open(self, one: Window) -> None:
        opened = self.act(
            "shift opened",
            lambda tx: counter.open_shift(
                tx, project_id=PROJECT, person=one.person, terminal=one.terminal, float_fen=20_000, at=self.now
            ),
        )
        if opened is not None and one.shift.id != opened.id:
            one.shift, one.count = opened, None

    # ---- second persons

    def asked(self, approval: Approval | None, decide: bool) -> None:
        """It waits, or is decided in the next minute."""
        if approval is None or approval.id in {one.id for one in self.waiting}:
            return
        self.waiting.append(approval)
        if decide:
            self.decide(approval, approve=True)

    def decide(self, approval: Approval, *, approve: bool) -> None:
        who = self.people.chief if approval.kind in CHIEFS else self.people.finance
        done = self.try_(f"{approval.kind} {'approved' if approve else 'returned'}", lambda: self._decide(who, approval, approve))
        if done is not None:
            self.waiting = [one for one in self.waiting if one.id != approval.id]

    def _decide(self, who: Principal, approval: Approval, approve: bool) -> Coroutine[Any, Any, Approval]:
        note = "" if approve else "不同意"
        return access.decide(self.place.hub, who, approval.id, approve=approve, note=note, terminal="办公室", now=self.now)

    # ---- what there is

    def lines(self, room: int | None = None) -> list[int]:
        """Lines that live, by number."""
        rows = self.rows(
            "SELECT id FROM charge_lines WHERE project_id = %s AND status IN ('open', 'part', 'paid')"
            " AND (%s::int IS NULL OR room_id = %s) ORDER BY id",
            PROJECT,
            room,
            room,
        )
        return [row[0] for row in rows]

    def ids(self, table: str) -> list[int]:
        return [row[0] for row in self.rows(f"SELECT id FROM {table} WHERE project_id = {PROJECT} ORDER BY id")]

    def tell(self) -> dict[str, list[tuple[Any, ...]]]:
        """Lines, wallets and deposits as they stand: what a reversal must restore (Q-63).

        A late fee that still grows is worked out anew each day, so that only a frozen one is told.
        """
        return {
            "lines": self.rows(
                "SELECT id, status, paid_fen, late_paid_fen, discount_fen, payer_id,"
                " CASE WHEN amount_fen - discount_fen = paid_fen - late_paid_fen THEN late_fee_fen END"
                " FROM charge_lines ORDER BY id"
            ),
            "wallets": self.rows("SELECT id, balance_fen FROM wallets WHERE balance_fen <> 0 ORDER BY id"),
            "deposits": self.rows("SELECT id, balance_fen FROM deposits WHERE balance_fen <> 0 ORDER BY id"),
        }


def pick(found: Sequence[T], number: int) -> T | None:
    return found[number % len(found)] if found else None
