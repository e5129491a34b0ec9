"""The demo's own arithmetic of bills: what a room must owe, worked out by hand here (Q-03, Q-10, Q-50)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from sim.demo.bills import Bill, billed, differences, expected
from sim.demo.world import ProjectSeed, RoomSeed
from sim.people.staff import notes

SEEDED = date(2026, 11, 25)
ROOM = RoomSeed("1-1-101", "1 栋", 8_750, "贾晓满", "jxm", "13000000001", months=2, spaces=1, tons=10)
PROJECT = ProjectSeed("p", "某园", "hd", "residential", (ROOM, replace(ROOM, code="1-1-102", months=1, spaces=0)))
OWED = {
    # 87.50 m2 x 2.35 = 205.625 yuan, half up; October's is 41 days late on 25 November: 205.63 x 0.0005 x 41 = 4.2154...
    Bill("property", date(2026, 10, 1), 20_563, 422),
    Bill("property", date(2026, 11, 1), 20_563, 103),
    Bill("space", date(2026, 10, 1), 6_000, 0),
    Bill("space", date(2026, 11, 1), 6_000, 0),
    Bill("refuse", date(2026, 10, 1), 800, 0),
    Bill("refuse", date(2026, 11, 1), 800, 0),
    Bill("water", date(2026, 10, 1), 3_900, 0),
}


def test_a_room_owes_its_months_with_late_fees() -> None:
    assert expected(PROJECT, ROOM, SEEDED, SEEDED) == OWED


def test_nothing_is_late_on_the_due_day() -> None:
    early = date(2026, 11, 15)
    assert {bill.late_fee_fen for bill in expected(PROJECT, PROJECT.rooms[1], early, early)} == {0}


def test_bills_come_to_sums_by_account() -> None:
    assert billed(PROJECT, SEEDED) == {
        "revenue:property": 3 * 20_563,
        "revenue:space": 12_000,
        "agency:refuse": 2_400,
        "agency:water": 7_800,
    }


def test_what_differs_is_named_from_either_side() -> None:
    shown = [
        {
            "item": bill.item,
            "first_day": bill.first_day.isoformat(),
            "amount_fen": bill.amount_fen,
            "late_fee_fen": bill.late_fee_fen,
        }
        for bill in OWED
    ]
    assert differences("1-1-101", OWED, shown) == []
    shown[0]["late_fee_fen"] = 1
    assert len(differences("1-1-101", OWED, shown)) == 2
    assert len(differences("1-1-101", OWED, shown[1:])) == 1


@pytest.mark.parametrize("fen", [0, 1, 18_388, 1_234_567])
def test_any_amount_can_be_laid_out_in_notes(fen: int) -> None:
    assert sum(int(value) * pieces for value, pieces in notes(fen).items()) == fen
