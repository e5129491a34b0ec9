"""Parking over HTTP: sites told by a manager, a driver's phone, and a box whose money ends in the same books (K-25, DESIGN 1)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.app import event_handlers, paid_handlers
from cloud.counter import service as counter
from cloud.fleet import service as fleet
from cloud.parking import service as parking
from protocols.time import iso
from protocols.uplink import signing
from protocols.uplink.envelope import compact
from tests.support.fleet import FakeBox
from tests.support.money import BOTH, EAST
from tests.support.parking import BOX, CALENDAR, LANES, NOON, PLATE, TARIFF, came, cash, noted, owes, set_up, stroke, went

KEY = Ed25519PrivateKey.generate()
SITE = {
    "box": BOX,
    "lanes": [lane.model_dump(mode="json") for lane in LANES],
    "tariffs": {"casual-2026": TARIFF},
    "calendar": CALENDAR.model_dump(mode="json"),
}


async def _register(money_db, box: str = BOX, project: int = 11) -> None:
    async with money_db.tx(BOTH) as tx:
        await fleet.register(tx, box, project, "test", NOON)


async def test_a_manager_sets_up_a_site(money_db, hub_client):
    await _register(money_db)
    await hub_client.log_in("project_manager", project=11)
    answer = await hub_client.put("/api/v1/parking/sites/11", json=SITE)
    assert answer.status_code == 200, answer.text
    passes = {
        "project": 11,
        "entries": [
            {"plate": PLATE, "category": "monthly", "start": "2026-01-01T00:00:00+08:00", "last": "2099-12-31T23:59:59+08:00"}
        ],
    }
    assert (await hub_client.post("/api/v1/parking/passes", json=passes)).json() == {"added": 1, "known": 0}
    assert (await hub_client.post("/api/v1/parking/passes", json=passes)).json() == {"added": 0, "known": 1}
    guard = {"project": 11, "number": "3001", "name": "莫须友", "pin": "2468"}
    assert (await hub_client.post("/api/v1/parking/guards", json=guard)).status_code == 200
    assert (await hub_client.delete(f"/api/v1/parking/passes/11/{PLATE}")).json() == {"ended": 1}
    lanes = (await hub_client.get("/api/v1/parking/lanes", params={"project": 11})).json()
    assert [(lane["lane"], lane["state"]) for lane in lanes] == [(lane.lane, "ok") for lane in LANES]
    async with money_db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT action FROM audit_log WHERE action LIKE 'parking.%' ORDER BY seq")
    done = [row["action"].removeprefix("parking.") for row in rows]
    assert done == ["site", "passes", "passes", "guard", "passes_end"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"tariffs": {"casual-2026": TARIFF | {"title": "x"}}}, 409, "tariff_changed"),
        ({"tariffs": {"casual-2026": TARIFF | {"version": 2}}}, 422, "not_ahead"),
        ({"box": "nobody-01"}, 404, "box_not_found"),
        ({"lanes": [{"lane": "x"}]}, 422, None),
    ],
)
async def test_problems_name_the_field(money_db, hub_client, change, status, code):
    await _register(money_db)
    await hub_client.log_in("project_manager", project=11)
    await hub_client.put("/api/v1/parking/sites/11", json=SITE)
    answer = await hub_client.put("/api/v1/parking/sites/11", json=SITE | change)
    assert answer.status_code == status
    assert code is None or answer.json()["code"] == code


@pytest.mark.parametrize("role", ["cashier", "guard", "hq_auditor", "technician"])
async def test_only_a_manager_changes_a_site(money_db, hub_client, role):
    """1.1"""
    await _register(money_db)
    await hub_client.log_in(role, project=11)
    writes = (("PUT", "/api/v1/parking/sites/11"), ("POST", "/api/v1/parking/passes"), ("POST", "/api/v1/parking/guards"))
    for method, path in writes:
        assert (await hub_client.request(method, path, json=SITE)).status_code == 403


async def test_a_manager_of_another_project_finds_nothing(money_db, hub_client):
    await _register(money_db)
    await hub_client.log_in("project_manager", project=12)
    assert (await hub_client.put("/api/v1/parking/sites/11", json=SITE)).status_code == 404
    assert (await hub_client.get("/api/v1/parking/stays", params={"project": 11})).json() == []


async def test_a_driver_without_anything_due(money_db, hub_client):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    for lane, code in (("fq-n-out", "nothing_due"), ("nowhere", "lane_not_found")):
        answer = await hub_client.get(f"/api/v1/d/lanes/{lane}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert (await hub_client.get("/api/v1/d/lanes/%00")).status_code == 422


async def test_from_the_box_to_the_books(money_db, hub, hub_client):
    """A day of one lane: the box's events by the real ingest, a phone that pays, the provider's notice, one receipt each."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    hub.settings = hub.settings.model_copy(update={"pay_sim_key": KEY.public_key().public_bytes_raw().hex()})
    hub.paid_handlers = paid_handlers(None)
    box = FakeBox(BOX)
    box.add(stroke(1, "entry", lane="fq-n-in"), came(), stroke(2, "entry", lane="fq-n-in"), came("s2", "京B54321"))
    box.add(owes(90), cash(700), stroke(1), went(fee_fen=700, paid_fen=700), owes(130, "s2", plate="京B54321"))
    await _send(money_db, box)

    due = (await hub_client.get("/api/v1/d/lanes/fq-n-out")).json()
    assert (due["stay"], due["plate"], due["fee_fen"]) == ("s2", "京B54321", 1100)
    wrong = await hub_client.post("/api/v1/d/lanes/fq-n-out/order", json={"stay": "s2", "fee_fen": 1000})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "fee_changed")
    order = (await hub_client.post("/api/v1/d/lanes/fq-n-out/order", json={"stay": "s2", "fee_fen": 1100})).json()
    assert order["amount_fen"] == 1100
    for _ in range(2):
        assert (await hub_client.post("/pay/simulated/notice", content=_notice(order))).status_code == 204
    assert (await hub_client.get("/api/v1/d/lanes/fq-n-out")).status_code == 404

    box.add(stroke(2, reference=order["order"], stay="s2"), went("s2", "京B54321", fee_fen=1100, paid_fen=1100))
    box.add(noted("call", None))
    await _send(money_db, box)
    async with money_db.tx(EAST) as tx:
        found = await parking.counts(tx)
        assert (await counter.verify(tx)).ok
        assert await counter.counts(tx) == {"counter": 0, "lane_cash": 1, "order": 1, "fen": 1800}
        assert (await fleet.counts(tx))["boxes"][BOX]["refused"] == 0
    assert found == {
        "cars_in": 2, "cars_out": 2, "strokes": 4, "strokes_unexplained": 0, "stroke_gaps": 0,
        "lanes": {
            "fq-n-in": {"strokes": 2, "max_n": 2, "in": 2, "out": 0},
            "fq-n-out": {"strokes": 2, "max_n": 2, "in": 0, "out": 2},
        },
        "stays": {"left": 2}, "fen_lane_cash": 700, "fen_orders": 1100, "quotes": 2, "quote_differs": 0,
    }  # fmt: skip


async def test_refused_cash_ends_in_suspense_and_the_rest_goes_on(money_db):
    """DESIGN 2.4: one bad event never blocks a box."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    box = FakeBox(BOX)
    box.add(came(), owes(90), cash(700), cash(999), went(fee_fen=700, paid_fen=700), went(entered_at="noon"), stroke(1))
    await _send(money_db, box)
    async with money_db.tx(EAST) as tx:
        refused = [row["code"] for row in await tx.fetch_all("SELECT code FROM box_refused ORDER BY seq")]
        assert refused == ["payment_used", "bad_time"]
        found = await parking.counts(tx)
        takings = await tx.fetch_all("SELECT kind, amount_fen FROM report_takings ORDER BY amount_fen")
    assert (found["fen_lane_cash"], found["cars_out"], found["strokes"]) == (700, 1, 1)
    assert takings == [{"kind": "lane_cash", "amount_fen": 700}, {"kind": "suspense", "amount_fen": 999}]


async def _send(money_db, box: FakeBox) -> None:
    ack = await fleet.ingest(money_db, box.box, box.money.batch(), event_handlers(), NOON + timedelta(hours=3))
    box.money.heard(ack)
    assert box.money.waiting == 0


def _notice(order: dict) -> bytes:
    body = {"order": order["order"], "amount_fen": order["amount_fen"], "merchant": "sim-merchant", "state": "paid"}
    return signing.sign(signing.NOTICE, compact(body | {"provider_no": "W1", "at": iso(NOON)}), KEY)
