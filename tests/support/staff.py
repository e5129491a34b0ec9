"""Simulated staff of a project: people who log in and use the hub by HTTP only, honest or not, and a clock that is stepped."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from typing import Any

import httpx

from cloud.app import approval_handlers, create_app
from cloud.controls.engine import tick
from cloud.controls.registry import CONTROLS
from cloud.controls.service import Raised
from cloud.fees import service as fees
from cloud.shared.hub import Hub
from tests.support.cash import notes as notes_of
from tests.support.hub import PASSWORD, HubClient, add_person
from tests.support.money import EAST, line

_keys = itertools.count(1)
ROOM = 101
ITEMS = (
    fees.Item("property", "物业费", "recurring", False, True, 10, 10),
    fees.Item("renovation", "装修保证金", "deposit", True, False, 90, 90),
    fees.Item("damage", "公共设施赔偿", "one_off", False, True, 95, 95),
)


def key() -> str:
    return f"staff-{next(_keys):08d}"


class Person:
    """Somebody with a browser at a desk; `address`: which computer."""

    def __init__(self, site: Site, number: str, address: str) -> None:
        self.site, self.number = site, number
        transport = httpx.ASGITransport(site.app, raise_app_exceptions=False, client=(address, 40_000))
        self.client = HubClient(site.hub, site.app)
        self.client._transport = transport

    async def log_in(self, password: str = PASSWORD) -> int:
        answer = await self.client.post("/api/v1/login", json={"number": self.number, "password": password})
        if answer.status_code == 200:
            self.client.headers["x-csrf-token"] = answer.json()["csrf"]
        return answer.status_code

    async def do(self, method: str, path: str, *, ok: bool = True, **more: Any) -> Any:
        """A request; logs in when the session is over. The JSON, or the whole answer when `ok` is not asked for."""
        answer = await self.client.request(method, path, **more)
        if answer.status_code == 401 or answer.headers.get("location", "").startswith("/login"):
            assert await self.log_in() == 200
            answer = await self.client.request(method, path, **more)
        if not ok:
            return answer
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text[:400])
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else answer

    async def get(self, path: str, **more: Any) -> Any:
        return await self.do("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Any:
        return await self.do("POST", path, json=body if body is not None else {}, **more)


class Site:
    """Project 11 with its people, and headquarters; each engine round is one `look`."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        hub.approval_handlers = approval_handlers()
        self.app = create_app(hub)
        self.people: dict[str, Person] = {}
        self.shifts: dict[str, int] = {}

    @property
    def now(self) -> datetime:
        return self.hub.clock.now()

    def step(self, **more: float) -> None:
        self.hub.clock.time = self.now + timedelta(**more)  # type: ignore[attr-defined]  # a StepClock

    async def add(self, number: str, *roles: str, project: int = 11, company: int | None = None, address: str = "") -> Person:
        for role in roles:
            group, tree = role.startswith("hq_"), role == "sub_manager"
            place = (None, None) if group else (company or 1, None) if tree else (None, project)
            await add_person(self.hub, number, role, *place)
        made = Person(self, number, address or f"10.0.0.{len(self.people) + 10}")
        self.people[number] = made
        assert await made.log_in() == 200
        return made

    async def look(self) -> list[Raised]:
        """The engine goes round once."""
        return await tick(self.hub.db, CONTROLS, self.now)

    async def rules(self) -> set[str]:
        """The rules that raised something in a round."""
        return {one.rule for one in await self.look()}


async def at_work(hub: Hub) -> Site:
    """A cashier at window 1, a manager, the chief of the company, and headquarters: finance, auditor, administrator."""
    site = Site(hub)
    await site.add("0201", "cashier")
    await site.add("0202", "cashier")
    await site.add("0301", "project_manager")
    await site.add("0401", "sub_manager")
    await site.add("9001", "hq_finance")
    await site.add("9002", "hq_auditor")
    await site.add("9003", "hq_admin")
    await site.look()
    return site


async def open_shift(site: Site, who: str = "0201", terminal: str = "窗口 1") -> int:
    """With the float that the last hand-over left there, 200 yuan at first."""
    body = {"project": 11, "terminal": terminal, "float_fen": 20_000}
    answer = await site.people[who].post("/api/v1/counter/shifts", body, ok=False)
    if answer.status_code == 422 and "left_fen" in answer.json():
        answer = await site.people[who].post("/api/v1/counter/shifts", body | {"float_fen": answer.json()["left_fen"]}, ok=False)
    assert answer.status_code == 200, answer.text
    site.shifts[who] = int(answer.json()["id"])
    return site.shifts[who]


async def bill(site: Site, fen: int, *, room: int = ROOM, month: int = 10, year: int = 2026, item: str = "property") -> int:
    """A room is billed as the month's run would; the number of the line."""
    async with site.hub.db.tx(EAST) as tx:
        before = {one.id for one in await fees.open_lines(tx, 11, room, site.now.date())}
        await fees.put_items(tx, 1, ITEMS)
        new = line(room, fen, item=item, start=date(year, month, 1))
        await fees.add_lines(tx, company_id=1, project_id=11, lines=[new], at=site.now, by="test")
        return next(one.id for one in await fees.open_lines(tx, 11, room, site.now.date()) if one.id not in before)


async def pay(
    site: Site, fen: int, *, room: int = ROOM, who: str = "0201", tender: str = "cash", of: int | None = None, **more: Any
) -> dict[str, Any]:
    """A line is billed (or given) and paid; the receipt."""
    if of is None:
        of = await bill(site, fen, room=room, **{name: more.pop(name) for name in ("month", "year") if name in more})
    if who not in site.shifts:
        await open_shift(site, who, f"窗口 {who[-1]}")
    body = {
        "project": 11, "room": room, "line_ids": [of], "tender": tender, "tendered_fen": fen, "expected_total_fen": fen,
        "key": key(), "shift": site.shifts[who], "terminal": f"窗口 {who[-1]}", **more,
    }  # fmt: skip
    found: dict[str, Any] = await site.people[who].post("/api/v1/counter/collect", body)
    return found


async def print_it(site: Site, receipt: int, who: str = "0201") -> None:
    await site.people[who].get(f"/api/v1/counter/receipts/{receipt}.pdf")


async def void(site: Site, receipt: int, *, who: str = "0201", asked: str = "窗口 1", decided: str = "办公室") -> int:
    """Asked for by the cashier, approved by the manager at a terminal; the number of the approval."""
    made = await site.people[who].post(
        f"/api/v1/counter/receipts/{receipt}/void", {"reason": "金额录错", "key": key(), "terminal": asked}
    )
    await approve(site, made["approval"], made["amount_fen"], terminal=decided)
    return int(made["approval"])


async def approve(site: Site, approval: int, fen: int, *, who: str = "0301", terminal: str = "办公室") -> None:
    await site.people[who].post(f"/api/v1/approvals/{approval}/approve", {"amount_fen": fen, "terminal": terminal})


async def take_in(site: Site, fen: int, *, room: int = ROOM, who: str = "0201", **more: Any) -> dict[str, Any]:
    """A payment that is no bill: `top_ups` or `deposits` of the counter's JSON."""
    if who not in site.shifts:
        await open_shift(site, who, f"窗口 {who[-1]}")
    body = {
        "project": 11, "room": room, "tender": "cash", "tendered_fen": fen, "expected_total_fen": fen, "key": key(),
        "shift": site.shifts[who], "terminal": f"窗口 {who[-1]}", **more,
    }  # fmt: skip
    found: dict[str, Any] = await site.people[who].post("/api/v1/counter/collect", body)
    return found


async def waive(site: Site, fen: int, *, room: int, by: str = "0301", owed: int = 50_000, month: int = 10) -> None:
    """A bill of a room, a part of it let go by request and approval."""
    of = await bill(site, owed, room=room, month=month)
    body = {"project": 11, "principal_fen": fen, "reason": "房屋漏水补偿", "key": key(), "terminal": "窗口 1"}
    asked = await site.people["0201"].post(f"/api/v1/fees/lines/{of}/waiver", body)
    await approve(site, asked["approval"], fen, who=by)


async def hand_in(site: Site, fen: int, *, who: str = "0201", to: str = "0202", keep: int = 20_000) -> None:
    """The shift is counted even and its cash handed to another cashier."""
    notes = {str(value): pieces for value, pieces in notes_of(fen + keep).items()}
    shift = site.shifts.pop(who)
    count = await site.people[who].post(f"/api/v1/counter/shifts/{shift}/count", {"notes": notes, "key": key()})
    offered = await site.people[who].post(
        f"/api/v1/counter/counts/{count['id']}/handover", {"keep_float_fen": keep, "key": key()}
    )
    body = {"amount_fen": fen, "float_fen": keep, "key": key()}
    await site.people[to].post(f"/api/v1/counter/handovers/{offered['handover']}/confirm", body)


async def close_day(site: Site, who: str = "0202") -> None:
    """Today; a day before it that is still open (a match of the bank's statement fell on it) is closed first."""
    day = str(site.now.date())
    for _ in range(5):
        answer = await site.people[who].post("/api/v1/counter/closes", {"project": 11, "day": day, "key": key()}, ok=False)
        if answer.status_code < 300 and day == str(site.now.date()):
            return
        earlier = answer.status_code == 422 and answer.json()["code"] == "earlier_day_open"
        assert answer.status_code < 300 or earlier, answer.text
        day = answer.json()["en"][:10] if earlier else str(site.now.date())


async def make_account(site: Site) -> int:
    """The company's bank account; headquarters registers it when there is none."""
    finance = site.people["9001"]
    known = (await finance.get("/api/v1/counter/bank-accounts"))["accounts"]
    if not known:
        body = {"company": "hd", "code": "icbc-0417", "bank": "示例银行", "tail": "0417", "holder": "华东公司"}
        await finance.post("/api/v1/counter/bank-accounts", body)
        known = (await finance.get("/api/v1/counter/bank-accounts"))["accounts"]
    return int(known[0]["id"])


async def make_slip(site: Site, *days: date, who: str = "0202") -> int:
    """A deposit slip over closed days."""
    body = {"project": 11, "days": [str(one) for one in days], "account": await make_account(site), "key": key()}
    return int((await site.people[who].post("/api/v1/counter/slips", body))["id"])
