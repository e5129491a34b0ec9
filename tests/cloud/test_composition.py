"""The hub put together (`cloud/app.py`): what a box reports reaches stays and books, once; proof and counts over all slices."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import proof
from cloud.app import event_handlers, paid_handlers
from cloud.fleet.service import ingest
from cloud.parking import service as parking
from cloud.payments import service as payments
from protocols.time import iso
from protocols.uplink import signing
from protocols.uplink.envelope import compact
from tests.support.fleet import FakeBox
from tests.support.money import EAST, NOON
from tests.support.parking import BOX, came, cash, owes, set_up, stroke, went

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
async def box(money_db):
    """A site is set up and its box has reported a whole stay paid in cash."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    found = FakeBox(BOX)
    found.add(came(), owes(90), cash(700), stroke(1), went())
    return found


async def send(money_db, box: FakeBox, first: int | None = None):
    ack = await ingest(money_db, BOX, box.money.batch(first), event_handlers(), NOON + timedelta(minutes=95))
    box.money.heard(ack)
    return ack


async def test_a_stay_paid_in_cash_reaches_the_books(money_db, box):
    ack = await send(money_db, box)
    assert ack.through == 5
    assert {head.project for head in ack.heads} >= {11}, "the acknowledgement witnesses the project's chain (DESIGN 3)"
    found = await proof.counts(money_db)
    assert found["payments"] == {"counter": 0, "lane_cash": 1, "order": 0, "fen": 700}
    assert (found["parking"]["cars_in"], found["parking"]["cars_out"], found["parking"]["strokes"]) == (1, 1, 1)
    assert found["fleet"]["boxes"][BOX]["money"]["epochs"][box.money.epoch]["hash"] == box.money.tip
    assert found["fleet"]["boxes"][BOX]["refused"] == 0
    assert (found["ledger_balanced"], found["chain_verified"], found["first_fault"]) == (True, True, None)


async def test_sent_twice_it_is_booked_once(money_db, box):
    """L-32"""
    await send(money_db, box)
    await send(money_db, box, first=1)
    assert (await proof.counts(money_db))["payments"]["lane_cash"] == 1


async def test_lane_cash_that_is_refused_lies_in_suspense_and_hqs_sum_is_right(money_db, box):
    """DESIGN 2.4: the same number for another payment."""
    box.add(cash(900, stay="s2", payment="other"))
    ack = await send(money_db, box)
    assert ack.through == 6
    found = await proof.counts(money_db)
    assert found["fleet"]["boxes"][BOX]["refused"] == 1
    assert found["payments"]["lane_cash"] == 1
    async with money_db.tx(EAST) as tx:
        row = await tx.fetch_one("SELECT sum(amount_fen)::int AS fen FROM report_takings")
    assert row == {"fen": 1_600}
    assert (found["ledger_balanced"], found["chain_verified"]) == (True, True)


async def test_a_driver_pays_by_phone(hub_client, box):
    """K-25: what is due without an account, an order for exactly that, one receipt however often the provider tells."""
    hub = hub_client.hub
    hub.paid_handlers = paid_handlers(None)
    box.money.lines.clear()
    box.add(came(), owes(90))
    await send(hub.db, box)
    hub.settings = hub.settings.model_copy(update={"pay_sim_key": KEY.public_key().public_bytes_raw().hex()})
    due = (await hub_client.get("/api/v1/d/lanes/fq-n-out")).json()
    assert (due["stay"], due["fee_fen"]) == ("s1", 700)
    wrong = await hub_client.post("/api/v1/d/lanes/fq-n-out/order", json={"stay": "s1", "fee_fen": 1})
    assert wrong.status_code in (409, 422)
    order = (await hub_client.post("/api/v1/d/lanes/fq-n-out/order", json={"stay": "s1", "fee_fen": 700})).json()
    notice = {
        "order": order["order"], "amount_fen": order["amount_fen"], "merchant": "sim-merchant", "state": "paid",
        "provider_no": "P1", "at": iso(NOON),
    }  # fmt: skip
    message = signing.sign(signing.NOTICE, compact(notice), KEY)
    for _ in range(2):
        assert (await hub_client.post("/pay/simulated/notice", content=message)).status_code == 204
    forged = signing.sign(signing.NOTICE, compact(notice), Ed25519PrivateKey.generate())
    assert (await hub_client.post("/pay/simulated/notice", content=forged)).status_code == 401
    found = await proof.counts(hub.db)
    assert found["payments"] == {"counter": 0, "lane_cash": 0, "order": 1, "fen": 700}
    assert found["orders"] == {order["order"]: 700}
    assert found["notices"] == {"booked": 1, "repeated": 1, "forged": 1}


async def test_verify_names_an_event_changed_behind_the_hubs_back(money_db, money_admin, box):
    await send(money_db, box)
    assert (await proof.verify(money_db))["ok"]
    money_admin.tamper("UPDATE box_events SET raw = replace(raw, '700', '100') WHERE seq = 3")
    report = await proof.verify(money_db)
    assert not report["ok"]
    assert (report["faults"][0]["where"].startswith(f"box {BOX} money"), report["faults"][0]["seq"]) == (True, 3)
    assert BOX in (await proof.counts(money_db))["first_fault"]


async def test_every_kind_of_event_with_money_or_cars_has_a_handler():
    assert set(event_handlers().kinds) == {"passage", "fee_due", "payment", "stroke", "lane_note", "readings"}
    assert set(paid_handlers(None)) == {parking.PURPOSE}
    assert event_handlers().suspense is not None
    assert payments.simulated(None).keys == {}
