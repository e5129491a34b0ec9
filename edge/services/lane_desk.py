"""The guard's hands: cash with a receipt number, raises with a reason, each at most once by its key (K-26, K-28, L-11)."""

from __future__ import annotations

import json
from typing import Any

from edge.core.lane_table import Place
from edge.core.lane_types import Grant, Verdict
from edge.core.stays import Paid, instant
from edge.services.lane_runner import LaneRunner, Shared
from edge.services.lane_stays import State
from protocols.errors import Conflict, Refused, Retry
from protocols.money import Fen, yuan
from protocols.time import business_date, iso
from protocols.uplink.events import Payment

KEYS_KEPT = 500
LONGEST_REASON = 60

Answer = dict[str, Any]


class Desk:
    """Counters and answers live in the journal's state: 'book' (the last number), 'key/<key>', 'drawer/<operator>'."""

    def __init__(self, shared: Shared, book: str) -> None:
        self._shared = shared
        self.book = book
        self._number = int(shared.state("book") or b"0")
        self._answers: dict[str, Answer] = {}
        self._unwritten: set[str] = set()
        self._drawers: dict[str, Answer] = {}

    def load(self, answers: dict[str, bytes], drawers: dict[str, bytes]) -> None:
        read = {name.removeprefix("key/"): json.loads(body) for name, body in answers.items()}
        self._answers = dict(sorted(read.items(), key=lambda item: int(item[1]["order"])))
        self._drawers = {name.removeprefix("drawer/"): json.loads(body) for name, body in drawers.items()}

    async def take_cash(self, runner: LaneRunner, stay: str, tendered_fen: Fen, operator: str, key: str) -> Answer:
        """Take what is due in cash and let the vehicle out; the amount is the box's, never the guard's.

        Refused `not_here`, `tender_short`. Conflict `key_reused`, `lane_busy`. Retry `store_unavailable`: kept and still tried.
        """
        asked = {"do": "cash", "lane": runner.config.lane, "stay": stay}
        known = await self._known(key, asked)
        if known is not None:
            return known
        verdict = owed(runner, stay)
        if tendered_fen < verdict.due_fen:
            zh = f"应收 {yuan(verdict.due_fen)} 元，只收了 {yuan(tendered_fen)} 元"
            raise Refused("tender_short", zh, "less than what is due", field="tendered_fen")
        record = self._shared.stays.get(stay)
        if record is None or not runner.lane.can_release:
            raise Conflict("lane_busy", "车道正在放行，不用再点", "the lane is already letting a vehicle pass")
        self._number += 1
        payment = Payment(
            payment=self._shared.new_id(),
            lane=runner.config.lane,
            stay=stay,
            plate=runner.lane.visit.plate if runner.lane.visit else None,
            amount_fen=verdict.due_fen,
            tender="cash",
            operator=operator,
            book=self.book,
            number=self._number,
        )
        receipt = f"{self.book} {self._number:07d}"
        answer = asked | {
            "payment": payment.payment,
            "receipt": receipt,
            "book": self.book,
            "number": self._number,
            "amount_fen": verdict.due_fen,
            "change_fen": tendered_fen - verdict.due_fen,
        }
        at = iso(instant(record, self._shared.now())[0])
        state = self._shared.stays.put(record.with_payment(Paid(at, verdict.due_fen, receipt)))
        state |= {"book": str(self._number).encode()} | self._remember(key, answer)
        state |= self._count(operator, verdict.due_fen, takings=1)
        await runner.release(Grant("paid", stay, operator, receipt), (payment,), state)
        return self._written(key)

    async def raise_arm(self, runner: LaneRunner, reason: str, operator: str, key: str) -> Answer:
        """Raise the arm by hand (L-11). Refused `no_reason`; else as `take_cash`."""
        reason = reason.strip()
        if not 2 <= len(reason) <= LONGEST_REASON:
            raise Refused("no_reason", "写明为什么抬杆", "a raise needs a reason of 2 to 60 characters", field="reason")
        asked = {"do": "raise", "lane": runner.config.lane, "reason": reason}
        known = await self._known(key, asked)
        if known is not None:
            return known
        if not runner.lane.can_release:
            raise Conflict("lane_busy", "车道正在放行，不用再点", "the lane is already letting a vehicle pass")
        visit = runner.lane.visit
        stay = visit.stay if visit is not None else None
        state = self._remember(key, asked | {"stay": stay}) | self._count(operator, 0, raises=1)
        await runner.release(Grant("manual", stay, operator, detail=reason), (), state)
        return self._written(key)

    def drawer(self, operator: str) -> Answer:
        """What a guard took today: fen, number of receipts, raises."""
        today = business_date(self._shared.now().wall.at).isoformat()
        found = self._drawers.get(operator)
        return found if found is not None and found["day"] == today else {"day": today, "fen": 0, "takings": 0, "raises": 0}

    def _count(self, operator: str, fen: Fen, *, takings: int = 0, raises: int = 0) -> State:
        was = self.drawer(operator)
        now = {
            "day": was["day"],
            "fen": was["fen"] + fen,
            "takings": was["takings"] + takings,
            "raises": was["raises"] + raises,
        }
        self._drawers[operator] = now
        return {f"drawer/{operator}": json.dumps(now).encode()}

    async def _known(self, key: str, asked: Answer) -> Answer | None:
        """The answer given before under this key, once it is on the disk.

        Conflict `key_reused` when it was asked for something else. Retry `store_unavailable` while the disk refuses.
        """
        if not 4 <= len(key) <= 80:
            raise Refused("bad_key", "请求缺少标识", "a key has 4 to 80 characters", field="key")
        known = self._answers.get(key)
        if known is not None and any(known.get(name) != value for name, value in asked.items()):
            raise Conflict("key_reused", "同一个请求标识用在了别的事上", "the key was used for something else", field="key")
        if key in self._unwritten:
            if self._shared.outbox.failing:
                raise Retry("store_unavailable", "盒子存不下记录，已记在内存里，稍后再看", "the store refuses to write")
            await self._shared.outbox.drained()
        return known and self._written(key)

    def _written(self, key: str) -> Answer:
        self._unwritten.discard(key)
        return self._answers[key]

    def _remember(self, key: str, answer: Answer) -> State:
        order = max((int(known["order"]) for known in self._answers.values()), default=0) + 1
        self._answers[key] = answer | {"order": order}
        self._unwritten.add(key)
        state: State = {f"key/{key}": json.dumps(self._answers[key], ensure_ascii=False).encode()}
        while len(self._answers) > KEYS_KEPT:
            oldest = next(iter(self._answers))
            del self._answers[oldest]
            state[f"key/{oldest}"] = None
        return state


def owed(runner: LaneRunner, stay: str) -> Verdict:
    """The verdict on a stay that stands at the lane and owes something. Refused `not_here`."""
    visit = runner.lane.visit
    verdict = visit.verdict if visit is not None else None
    if verdict is None or runner.lane.place is not Place.OWING or verdict.stay != stay:
        raise Refused("not_here", "这辆车现在不在这个车道等着付款", "this stay does not wait at this lane", field="stay")
    return verdict
