"""Guards at the box's panel and cashiers at the counter; each uses the same HTTP interface as a person's browser."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from protocols.errors import Refused
from protocols.money import Fen

TERMINAL = "窗口 1"


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

    async def aclose(self) -> None:
        await self.client.aclose()


@dataclass
class Cashier:
    """A cashier with an open shift; `taken` is the cashier's own count: idempotency key -> fen."""

    user: HubUser
    project: int
    shift: int
    taken: dict[str, Fen] = field(default_factory=dict)
    doubled: int = 0

    async def collect(self, code: str, twice: bool = False) -> bool:
        """Find the room by the digits of its code, take everything it owes in cash. `twice`: a second, impatient click (C-06)."""
        found = await self.user.get("/api/v1/estate/rooms", project=self.project, q=code.replace("-", ""))
        room = next(one["id"] for one in found if one["code"] == code)
        lines = await self.user.get("/api/v1/counter/open-lines", project=self.project, room=room)
        due = sum(line["due_fen"] for line in lines["lines"])
        if not due:
            return False
        key = uuid.uuid4().hex
        body = {
            "project": self.project,
            "room": room,
            "line_ids": [line["id"] for line in lines["lines"]],
            "tender": "cash",
            "tendered_fen": due,
            "expected_total_fen": due,
            "shift": self.shift,
            "terminal": TERMINAL,
            "key": key,
        }
        first = await self.user.must("POST", "/api/v1/counter/collect", body)
        self.taken[key] = due
        if twice:
            second = await self.user.must("POST", "/api/v1/counter/collect", body)
            self.doubled += first["receipt"] != second["receipt"]
        return True
