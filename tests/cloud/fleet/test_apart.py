"""Kinds that keep to themselves reach their handler as one group a batch; the order of all others is the box's (DESIGN 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cloud.fleet.service import BoxEvent, Handlers, ingest
from cloud.shared.db import Database, Tx
from protocols.errors import Refused
from protocols.uplink.events import Passage, Stroke
from tests.support.fleet import NOON, FakeBox, payment, register
from tests.support.money import EAST

BOX = "fengqiao-01"


def passage(number: int) -> Passage:
    return Passage(lane="n-out", direction="out", stay=f"s{number}", plate="京A12345", category="casual")


def busy_lane() -> FakeBox:
    box = FakeBox(BOX)
    for number in (1, 2, 3):
        box.add(Stroke(lane="n-out", n=number, reason="paid"), payment(number), passage(number))
    return box


class Told:
    """Takes down each group: kind and seqs. `refuse`: a seq it does not take."""

    def __init__(self, refuse: int = 0) -> None:
        self.groups: list[tuple[str, list[int]]] = []
        self._refuse = refuse

    async def __call__(self, tx: Tx, events: Sequence[BoxEvent]) -> None:
        if self._refuse in [event.seq for event in events]:
            raise Refused("not_this", "不要这条", "not this one")
        self.groups.append((events[0].kind, [event.seq for event in events]))

    def handlers(self) -> Handlers:
        return Handlers(dict.fromkeys(("stroke", "payment", "passage"), [self]), apart=frozenset({"stroke"}))


async def test_strokes_are_one_group_and_the_rest_keeps_its_order(money_db: Database) -> None:
    await register(money_db)
    told = Told()
    await ingest(money_db, BOX, busy_lane().money.batch(), told.handlers(), NOON)
    assert told.groups[0] == ("stroke", [1, 4, 7])
    assert [seq for _, seqs in told.groups[1:] for seq in seqs] == [2, 3, 5, 6, 8, 9]


@pytest.mark.parametrize("bad", [4, 6])
async def test_one_refused_event_costs_only_itself(money_db: Database, bad: int) -> None:
    await register(money_db)
    told = Told(refuse=bad)
    ack = await ingest(money_db, BOX, busy_lane().money.batch(), told.handlers(), NOON)
    assert ack.through == 9
    async with money_db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT seq FROM box_refused")
    assert [row["seq"] for row in rows] == [bad]
