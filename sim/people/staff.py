"""Guards at the box's panel and cashiers at the counter; each uses the same HTTP interface as a person's browser."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx

from protocols.errors import Refused
from protocols.money import Fen

TERMINAL = "窗口 1"
JOB_SECONDS, JOB_LOOK_S = 60, 0.1


@dataclass
class Guard:
    """A guard on duty at one box; `cash` is the guard's own count of what was taken: stay -> fen."""

    number: str
    pin: str
    client: httpx.AsyncClient
    cash: dict[str, Fen] = field(default_factory=dict)
    _token: str | None = None

    async def state(self, panel: str) -> dict[str, Any] | None:
        """What the panel shows; None while the box is away."""
        answer = await self._ask("GET", f"{panel}/panel/state", panel, None)
        if answer is None or answer.is_error:
            return None
        found: dict[str, Any] = answer.json()
        return found

    async def take_cash(self, panel: str, lane: str, stay: str, due: Fen) -> bool:
        """Take exactly what is shown and let the car out."""
        body = {"stay": stay, "tendered_fen": due, "key": f"{stay}-{due}"}
        answer = await self._ask("POST", f"{panel}/panel/lanes/{lane}/cash", panel, body)
        if answer is not None and answer.is_success:
            self.cash[stay] = due
            return True
        return False

    async def raise_arm(self, panel: str, lane: str, reason: str) -> bool:
        """Raise the arm by hand, with a reason (L-11)."""
        body = {"reason": reason, "key": uuid.uuid4().hex}
        answer = await self._ask("POST", f"{panel}/panel/lanes/{lane}/raise", panel, body)
        return answer is not None and answer.is_success

    async def _ask(self, method: str, url: str, panel: str, body: Any) -> httpx.Response | None:
        """One request, logged in; a panel that was restarted is logged in to again. None while the box is away."""
        try:
            for _ in range(2):
                if self._token is None:
                    await self._login(panel)
                answer = await self.client.request(method, url, json=body, headers=self._headers(), timeout=5)
                if answer.status_code != 401:
                    return answer
                self._token = None
        except httpx.HTTPError:
            pass
        return None

    async def _login(self, panel: str) -> None:
        answer = await self.client.post(f"{panel}/panel/login", json={"number": self.number, "pin": self.pin}, timeout=5)
        if answer.is_success:
            self._token = str(answer.json()["token"])

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"} if self._token else {}


class HubUser:
    """A person logged in to the hub's console by its JSON interface."""

    def __init__(self, base: str, number: str, password: str) -> None:
        self.client = httpx.AsyncClient(base_url=base, timeout=20)
        self._number = number
        self._password = password
        self._csrf = ""

    async def login(self) -> None:
        answer = await self.client.post("/api/v1/login", json={"number": self._number, "password": self._password})
        answer.raise_for_status()
        self._csrf = str(answer.json()["csrf"])

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.client.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    async def send(self, method: str, path: str, body: Any) -> httpx.Response:
        """A writing request; the caller looks at the answer."""
        return await self.client.request(method, path, json=body, headers={"x-csrf-token": self._csrf})

    async def must(self, method: str, path: str, body: Any) -> Any:
        """A writing request that has to succeed."""
        answer = await self.send(method, path, body)
        if answer.is_error:
            detail = f"{method} {path}: {answer.status_code} {answer.text[:500]}"
            raise Refused("hub_refused", "总部没有同意", detail)
        return answer.json() if answer.content else None

    async def approve(self, approval: int, note: str) -> None:
        """Read somebody's request and agree to the amount it names (Y-12)."""
        asked = await self.get(f"/api/v1/approvals/{approval}")
        body = {"amount_fen": asked["amount_fen"], "note": note, "terminal": f"{self._number} 的电脑"}
        done = await self.must("POST", f"/api/v1/approvals/{approval}/approve", body)
        if done["state"] != "approved":
            raise Refused("not_approved", "审批没有通过", f"approval {approval} is {done['state']}")

    async def job(self, job: int) -> dict[str, Any]:
        """Watch a job to its end; what it says then. Refused `job_failed`, also for rows it could not do."""
        deadline = time.monotonic() + JOB_SECONDS
        while time.monotonic() < deadline:
            found = await self.get(f"/api/v1/jobs/{job}")
            if found["state"] == "done" and not found["failures"]:
                result: dict[str, Any] = found["result"]
                return result
            if found["state"] not in ("queued", "running"):
                break
            await asyncio.sleep(JOB_LOOK_S)
        raise Refused("job_failed", "总部的任务没有完成", f"job {job}: {found}")

    async def aclose(self) -> None:
        await self.client.aclose()


@dataclass
class Cashier:
    """A cashier with an open shift. Own counts: `taken` idempotency key -> fen, `cash_fen` of it, `late_fen` of it late fee.

    `held`: ledger account -> fen that stay the payers'. `bills`: room -> the business day of its payment and the lines that were
    paid, as the screen showed them.
    """

    user: HubUser
    project: int
    shift: int
    float_fen: Fen = 0
    terminal: str = TERMINAL
    taken: dict[str, Fen] = field(default_factory=dict)
    bills: dict[str, tuple[date, list[dict[str, Any]]]] = field(default_factory=dict)
    held: dict[str, Fen] = field(default_factory=dict)
    cash_fen: Fen = 0
    late_fen: Fen = 0
    doubled: int = 0

    @property
    def drawer_fen(self) -> Fen:
        """What must be in the drawer."""
        return self.float_fen + self.cash_fen

    async def owed(self, code: str) -> tuple[int, list[dict[str, Any]]]:
        """Find the room by the digits of its code: its id, and what it owes."""
        found = await self.user.get("/api/v1/estate/rooms", project=self.project, q=code.replace("-", ""))
        room = next(one["id"] for one in found if one["code"] == code)
        lines = await self.user.get("/api/v1/counter/open-lines", project=self.project, room=room)
        return room, lines["lines"]

    async def collect(self, code: str, twice: bool = False, card: bool = False) -> dict[str, Any] | None:
        """Take everything a room owes, in cash or by card; the receipt. `twice`: a second, impatient click (C-06)."""
        room, lines = await self.owed(code)
        due = sum(line["due_fen"] for line in lines)
        if not due:
            return None
        body = {"line_ids": [line["id"] for line in lines], "expected_total_fen": due}
        receipt = await self._take(room, due, body, twice=twice, card=card)
        self.late_fen += sum(line["late_fee_fen"] for line in lines)
        self.bills[code] = date.fromisoformat(receipt["business_date"]), lines
        return receipt

    async def hold(
        self, code: str, top_ups: Sequence[Mapping[str, Any]] = (), deposits: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Take money in cash that stays the payer's: into wallets by purpose, and deposits by item (V-01, F-11)."""
        room, _ = await self.owed(code)
        accounts = {f"prepayment:{one['purpose']}": one["amount_fen"] for one in top_ups}
        accounts |= {f"deposit:{one['item']}": one["amount_fen"] for one in deposits}
        body = {"expected_total_fen": 0, "top_ups": list(top_ups), "deposits": list(deposits)}
        await self._take(room, sum(accounts.values()), body)
        for account, fen in accounts.items():
            self.held[account] = self.held.get(account, 0) + fen

    async def void(self, receipt: Mapping[str, Any], reason: str, second: HubUser) -> None:
        """Have one's own cash receipt taken back with a second person's yes (C-11); the money goes back to the payer."""
        body = {"reason": reason, "key": uuid.uuid4().hex, "terminal": self.terminal}
        asked = await self.user.must("POST", f"/api/v1/counter/receipts/{receipt['receipt']}/void", body)
        await second.approve(asked["approval"], "已和缴款人核对")
        self.taken[body["key"]] = -receipt["total_fen"]
        self.cash_fen -= receipt["total_fen"]
        self.late_fen -= sum(line["late_fee_fen"] for line in receipt["lines"])

    async def _take(
        self, room: int, fen: Fen, facts: Mapping[str, Any], *, twice: bool = False, card: bool = False
    ) -> dict[str, Any]:
        body = {
            "project": self.project,
            "room": room,
            "tender": "pos" if card else "cash",
            "tendered_fen": fen,
            "reference": f"POS{len(self.taken):06d}" if card else None,
            "shift": self.shift,
            "terminal": self.terminal,
            "key": uuid.uuid4().hex,
            **facts,
        }
        receipt: dict[str, Any] = await self.user.must("POST", "/api/v1/counter/collect", body)
        self.taken[body["key"]] = fen
        self.cash_fen += 0 if card else fen
        if twice:
            second = await self.user.must("POST", "/api/v1/counter/collect", body)
            self.doubled += receipt["receipt"] != second["receipt"]
        return receipt

    async def count_out(self, fen: Fen, why: str) -> dict[str, Any]:
        """End the shift with a blind count of so much (C-31) and say why it is not what it should be."""
        body = {"notes": notes(fen), "key": uuid.uuid4().hex}
        counted: dict[str, Any] = await self.user.must("POST", f"/api/v1/counter/shifts/{self.shift}/count", body)
        if counted["variance_fen"]:
            reason = {"reason": why, "key": uuid.uuid4().hex}
            counted = await self.user.must("POST", f"/api/v1/counter/counts/{counted['id']}/variance", reason)
        return counted


def notes(fen: Fen) -> dict[str, int]:
    """An amount in as few notes and coins as possible: value in fen -> how many."""
    found = {}
    for value in (10_000, 5_000, 2_000, 1_000, 500, 100, 50, 10, 1):
        found[str(value)], fen = divmod(fen, value)
    return {value: pieces for value, pieces in found.items() if pieces}
