"""The guard's panel over HTTP, as the simulated guard uses it, on a box's lanes and their plant (K-26, K-28, L-11, N-10)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from edge.panel import sessions
from edge.panel.app import panel_app
from protocols.uplink.events import Payment, Stroke
from sim.people.staff import Guard
from sim.plant.vehicle import Vehicle
from tests.support.lanes import Yard, lane_config, papers, until
from tests.support.virtual import virtual

IN, OUT = lane_config("n-in"), lane_config("n-out", 12)
FREE = {"table": {"free_minutes": 0, "free_mode": "from_entry", "step_minutes": 60, "step_fen": 500, "free_after_pass": False}}
TARIFF: dict[str, Any] = {"id": "casual", "version": 1, "title": "临停", "free_once_per_day": False} | FREE
PANEL = "http://box"


class Gatehouse:
    """A box with its panel."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.health = {"online": True, "queue": 0}
        app = panel_app(yard.lanes, yard.documents, yard.clock, lambda: self.health)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=PANEL)
        self.guard = Guard("G1", "2580", self.client)

    async def post(self, path: str, body: object, token: str | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.client.post(path, json=body, headers=headers)

    async def token(self) -> str:
        answer = await self.post("/panel/login", {"number": "G1", "pin": "2580"})
        return str(answer.json()["token"])

    async def lane(self, name: str) -> dict[str, Any]:
        state = await self.guard.state(PANEL)
        assert state is not None
        return next(lane for lane in state["lanes"] if lane["lane"] == name)

    async def car_at_exit(self, plate: str = "京A12345") -> dict[str, Any]:
        """A vehicle came in some time ago and stands at the exit."""
        for lane in ("n-in", "n-out"):
            plant = self.yard.plant[lane]
            plant.arrive(Vehicle(plate, "blue"))
            if lane == "n-in":
                await until(lambda plant=plant: plant.lane.passed and plant.lane.inputs.arm_down, 30)  # type: ignore[misc]
                await asyncio.sleep(3_000)
        await until(lambda: self.yard.view("n-out").state == "owing", 30)
        return await self.lane("n-out")


async def open_house() -> Gatehouse:
    yard = await Yard(papers((IN, OUT), (), TARIFF), (IN, OUT)).start()
    return Gatehouse(yard)


@virtual
async def test_cash_at_the_lane() -> None:
    """K-26: the amount is the box's; the payment has book, number and drawer; the arm opens; a repeat changes nothing."""
    house = await open_house()
    shown = await house.car_at_exit()
    assert shown["fee_fen"] == 500
    assert shown["lines"] and shown["plate"] == "京A12345" and shown["waiting_s"] >= 0
    assert await house.guard.take_cash(PANEL, "n-out", shown["stay"], shown["fee_fen"])
    assert await house.guard.take_cash(PANEL, "n-out", shown["stay"], shown["fee_fen"])
    await until(lambda: house.yard.plant["n-out"].lane.passed, 30)
    (payment,) = house.yard.journal.of(Payment)
    assert (payment.operator, payment.amount_fen, payment.number) == ("G1", shown["fee_fen"], 1)
    state = await house.guard.state(PANEL)
    assert state is not None
    assert (state["operator"]["fen"], state["operator"]["takings"]) == (shown["fee_fen"], 1)
    assert state["news"] and state["inside"] == 0


@virtual
async def test_what_is_refused() -> None:
    house = await open_house()
    shown = await house.car_at_exit()
    token = await house.token()
    path = "/panel/lanes/n-out/cash"
    short = await house.post(path, {"stay": shown["stay"], "tendered_fen": 100, "key": "key-1"}, token)
    assert (short.status_code, short.json()["code"], short.json()["field"]) == (422, "tender_short", "tendered_fen")
    assert short.headers["content-type"] == "application/problem+json"
    other = await house.post(path, {"stay": "x" * 16, "tendered_fen": 5000, "key": "key-2"}, token)
    assert other.json()["code"] == "not_here"
    edited = await house.post(path, {"stay": shown["stay"], "tendered_fen": 5000, "amount_fen": 1, "key": "k-3"}, token)
    assert edited.json()["code"] == "bad_body"
    fraction = await house.post(path, {"stay": shown["stay"], "tendered_fen": 500.5, "key": "key-4"}, token)
    assert fraction.json()["code"] == "bad_body"
    nowhere = await house.post("/panel/lanes/zz/raise", {"reason": "设备故障", "key": "key-5"}, token)
    assert nowhere.status_code == 404
    silent = await house.post("/panel/lanes/n-out/raise", {"reason": " ", "key": "key-6"}, token)
    assert silent.json()["code"] == "no_reason"
    assert (await house.client.post(path, content=b"{" * 20_000, headers={"authorization": f"Bearer {token}"})).status_code == 422
    assert not house.yard.journal.of(Payment)


@virtual
async def test_a_raise_has_a_reason_and_a_name_and_happens_once() -> None:
    """L-11, K-28."""
    house = await open_house()
    shown = await house.car_at_exit()
    token = await house.token()
    body = {"reason": "设备故障，车已核实", "key": "key-1"}
    first, second = await asyncio.gather(*(house.post("/panel/lanes/n-out/raise", body, token) for _ in range(2)))
    assert first.status_code == second.status_code == 200 and first.json() == second.json()
    changed = await house.post("/panel/lanes/n-out/raise", body | {"reason": "别的原因"}, token)
    assert (changed.status_code, changed.json()["code"]) == (409, "key_reused")
    await until(lambda: house.yard.journal.of(Stroke, lane="n-out"), 30)
    (stroke,) = house.yard.journal.of(Stroke, lane="n-out")
    assert (stroke.reason, stroke.by, stroke.detail, stroke.stay) == ("manual", "G1", body["reason"], shown["stay"])


@virtual
async def test_a_full_disk_keeps_the_cash_and_answers_when_it_is_written() -> None:
    """L-33: 503 while it cannot be written; the same key then gives the one receipt."""
    house = await open_house()
    shown = await house.car_at_exit()
    await house.yard.lanes.drained()
    house.yard.journal.full = True
    token = await house.token()
    body = {"stay": shown["stay"], "tendered_fen": shown["fee_fen"], "key": "key-1"}
    for _ in range(2):
        answer = await house.post("/panel/lanes/n-out/cash", body, token)
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert house.yard.plant["n-out"].lane.inputs.arm_down and not house.yard.journal.of(Payment)
    house.yard.journal.full = False
    await until(lambda: house.yard.journal.of(Payment), 60)
    answer = await house.post("/panel/lanes/n-out/cash", body, token)
    assert answer.json()["receipt"] == "box-1-L 0000001" and len(house.yard.journal.of(Payment)) == 1
    await until(lambda: house.yard.plant["n-out"].lane.passed, 30)


@virtual
async def test_who_may_come_in() -> None:
    """Number and PIN from the staff document; nothing without a token; off the list is out at once."""
    house = await open_house()
    assert (await house.client.get("/panel/state")).status_code == 401
    assert (await house.post("/panel/lanes/n-out/raise", {"reason": "设备故障", "key": "key-1"})).status_code == 401
    wrong = await house.post("/panel/login", {"number": "G1", "pin": "0000"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_pin")
    assert (await house.post("/panel/login", {"number": "nobody", "pin": "2580"})).status_code == 403
    token = await house.token()
    headers = {"authorization": f"Bearer {token}"}
    assert (await house.client.get("/panel/state", headers=headers)).status_code == 200
    house.yard.documents.put("staff", {"entries": []})
    assert (await house.client.get("/panel/state", headers=headers)).status_code == 401


@virtual
async def test_a_plate_corrected_to_a_pass_says_whose_word_opened_the_arm() -> None:
    """K-34, L-11: the driver's cash in the guard's pocket, the arm opened by somebody else's monthly pass."""
    entry = {"plate": "京A11111", "category": "monthly", "start": "2026-11-01T00:00:00+08:00"}
    entry |= {"last": "2026-12-31T23:59:59+08:00"}
    yard = await Yard(papers((IN, OUT), (entry,), TARIFF), (IN, OUT)).start()
    house = Gatehouse(yard)
    token = await house.token()
    await house.car_at_exit()
    answer = await house.post("/panel/lanes/n-out/correct", {"plate": "京A11111"}, token)
    assert answer.status_code == 200
    await until(lambda: yard.journal.of(Stroke, lane="n-out"), 30)
    (stroke,) = yard.journal.of(Stroke, lane="n-out")
    assert (stroke.reason, stroke.by, stroke.detail) == ("pass", "G1", "改牌 京A12345 → 京A11111")


@virtual
async def test_trying_made_up_numbers_lifts_no_lock() -> None:
    """Y-10: the list of failures is bounded, and a guard's own never falls off it."""
    house = await open_house()
    for _ in range(5):
        await house.post("/panel/login", {"number": "G1", "pin": "0000"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "MOST_WRONG", 8)
        for number in range(9):
            await house.post("/panel/login", {"number": f"X{number}", "pin": "0000"})
    assert (await house.post("/panel/login", {"number": "G1", "pin": "2580"})).status_code == 429


@virtual
async def test_wrong_pins_are_slowed_down() -> None:
    house = await open_house()
    for _ in range(5):
        await house.post("/panel/login", {"number": "G1", "pin": "0000"})
    locked = await house.post("/panel/login", {"number": "G1", "pin": "2580"})
    assert locked.status_code == 429 and locked.json()["seconds"] > 0
    await asyncio.sleep(60)
    assert (await house.post("/panel/login", {"number": "G1", "pin": "2580"})).status_code == 200


@virtual
async def test_the_page_needs_nothing_from_elsewhere() -> None:
    """It works with the hub away: one document, no other address in it, large enough to touch (UI.md 06)."""
    house = await open_house()
    page = await house.client.get("/panel")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text and "https://" not in page.text and "src=" not in page.text
    assert "收现金" in page.text and len(page.content) < 40_000
