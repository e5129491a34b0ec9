"""The demo's judge: whatever was taken from, added to or changed in the hub's books is named (0.8, L-32)."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sim.demo.record import Record, compare

HASH = "ab" * 32
RECORD = Record(
    lanes={"n-in": {"in": 3, "out": 0, "strokes": 3}, "n-out": {"in": 0, "out": 2, "strokes": 2}},
    counter={"key-1": 1000, "key-2": 250, "key-3": 100},
    lane_cash={"stay-1": 500},
    orders={"GH1": 700},
    billed={"revenue:property": 1200, "agency:water": 300},
    held={"prepayment:water": 100},
    deducted_fen=200,
    deducted_late_fen=5,
    cash_fen=1000,
    late_fen=50,
    short_fen=10,
    boxes={"b-01": {"money": {"epoch": "e1", "seq": 20, "hash": HASH}, "series": {"epoch": "e2", "seq": 4, "hash": HASH}}},
)


def epoch(rows: int) -> dict[str, Any]:
    return {"rows": rows, "max_seq": rows, "hash": HASH}


HUB: dict[str, Any] = {
    "fleet": {
        "boxes": {
            "b-01": {
                "money": {"epochs": {"e1": epoch(20)}},
                "series": {"epochs": {"e2": epoch(4)}},
                "refused": 0,
                "quarantined": False,
            }
        }
    },
    "parking": {
        "lanes": {"n-in": {"in": 3, "out": 0, "strokes": 3}, "n-out": {"in": 0, "out": 2, "strokes": 2}},
        "strokes_unexplained": 0,
        "stroke_gaps": 0,
        "quote_differs": 0,
    },
    "payments": {"counter": 3, "lane_cash": 1, "order": 1, "fen": 2550},
    "orders": {"GH1": 700},
    "accounts": {
        "revenue:property": -1200,
        "revenue:parking": -1200,
        "agency:water": -300,
        "receivable": 305,
        "late_fee": -55,
        "prepayment:water": -100,
        "over_short": 10,
        "cash_drawer": 590,
        "cash_in_transit": 900,
        "bank:pos": 350,
        "provider_clearing:simulated": 700,
    },
    "ledger_balanced": True,
    "chain_verified": True,
    "first_fault": None,
}


def test_equal_books_are_equal() -> None:
    assert compare(RECORD, HUB).ok


def test_a_bill_that_is_not_what_it_must_be_is_named() -> None:
    wrong = dataclasses.replace(RECORD, bill_faults=["room 1-1-101: the hub has another late fee"])
    assert compare(wrong, HUB).faults == wrong.bill_faults


def at(hub: dict[str, Any], *path: str) -> Any:
    for name in path:
        hub = hub[name]
    return hub


MONEY = ("fleet", "boxes", "b-01", "money", "epochs", "e1")


@pytest.mark.parametrize(
    ("change", "lost", "doubled"),
    [
        pytest.param(lambda hub: at(hub, *MONEY).update(rows=19), 1, 0, id="one event deleted"),
        pytest.param(lambda hub: at(hub, *MONEY).update(rows=21), 0, 1, id="one event doubled"),
        pytest.param(lambda hub: at(hub, *MONEY).update(hash="cd" * 32), 0, 0, id="the last event changed"),
        pytest.param(lambda hub: at(hub, *MONEY[:-1]).clear(), 20, 0, id="a stream gone"),
        pytest.param(lambda hub: at(hub, "fleet", "boxes").clear(), 24, 0, id="a box gone"),
        pytest.param(lambda hub: at(hub, "fleet", "boxes", "b-01").update(refused=1), 0, 0, id="an event refused"),
        pytest.param(lambda hub: at(hub, "parking", "lanes", "n-in").update({"in": 2}), 1, 0, id="a passage gone"),
        pytest.param(lambda hub: at(hub, "parking", "lanes", "n-out").update(strokes=3), 0, 1, id="a stroke doubled"),
        pytest.param(lambda hub: at(hub, "parking").update(strokes_unexplained=1), 0, 0, id="a stroke without reason"),
        pytest.param(lambda hub: at(hub, "payments").update(counter=2), 1, 0, id="a payment gone"),
        pytest.param(lambda hub: at(hub, "payments").update(fen=2549), 0, 0, id="an amount changed"),
        pytest.param(lambda hub: at(hub, "orders").update(GH1=1), 0, 0, id="an order's amount changed"),
        pytest.param(lambda hub: at(hub, "accounts").update({"revenue:property": -1199}), 0, 0, id="a bill changed"),
        pytest.param(lambda hub: at(hub, "accounts").update(late_fee=-54), 0, 0, id="a late fee changed"),
        pytest.param(lambda hub: at(hub, "accounts").update(receivable=304), 0, 0, id="a debt forgiven"),
        pytest.param(lambda hub: at(hub, "accounts").update({"prepayment:water": -99}), 0, 0, id="a prepayment smaller"),
        pytest.param(lambda hub: at(hub, "accounts").update(over_short=0), 0, 0, id="a shortage hidden"),
        pytest.param(lambda hub: at(hub, "accounts").update(cash_in_transit=899), 0, 0, id="cash gone on its way"),
        pytest.param(lambda hub: hub.update(ledger_balanced=False), 0, 0, id="out of balance"),
        pytest.param(lambda hub: hub.update(chain_verified=False, first_fault="11: 3 hash"), 0, 0, id="chain broken"),
    ],
)
def test_every_difference_is_found(change: Callable[[dict[str, Any]], object], lost: int, doubled: int) -> None:
    hub = copy.deepcopy(HUB)
    change(hub)
    verdict = compare(RECORD, hub)
    assert not verdict.ok
    assert (verdict.lost, verdict.doubled) == (lost, doubled)
