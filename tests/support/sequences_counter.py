"""Steps at the counter: shifts, payments of every sort, repetitions, two at once, what is not allowed, voids and moves."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cloud.counter import service as counter
from cloud.counter.late_entry import ask_late_entry
from cloud.fees import service as fees
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from protocols.errors import Conflict, GatehouseError
from tests.support.sequences_acts import Acts, pick
from tests.support.sequences_world import FOREIGN_PROJECT, FOREIGN_ROOM, HERE, PROJECT, ROOMS, Window, days_before

WINDOW = st.integers(0, 1)
ROOM = st.sampled_from(ROOMS)
HOW = st.sampled_from(("cash", "change", "pos", "transfer", "mixed", "wallet", "wallet and cash", "keep"))
NUMBER = st.integers(0, 30)
PURPOSE = st.sampled_from(("general", "property", "water"))
PERCENT = st.one_of(st.none(), st.integers(1, 99))


class AtTheCounter(Acts):
    def __init__(self) -> None:
        super().__init__()
        self.paid: list[tuple[Window, counter.CollectRequest, int]] = []
        """What was collected: the request as it was sent, and its receipt."""

    @rule(window=WINDOW)
    def open_shift(self, window: int) -> None:
        self.open(self.windows[window])

    @rule(window=WINDOW, room=ROOM, lines=st.integers(0, 9), how=HOW, percent=PERCENT, up=st.one_of(st.none(), PURPOSE),
          deposit=st.booleans(), somebody=st.booleans())  # fmt: skip
    def collect(
        self, window: int, room: int, lines: int, how: str, percent: int | None, up: str | None, deposit: bool, somebody: bool
    ) -> None:
        """`lines`: of the oldest open ones; `percent` of what they come to, None for all; `up`: a wallet is filled beside it."""
        one = self.windows[window]
        found = self.read(lambda tx: counter.open_lines(tx, PROJECT, room, self.now))[:lines]
        request = self.request(one, room, found, how, percent, up, deposit)
        if request is None:
            return
        request = replace(request, payer_name="路人甲" if somebody else "")
        made = self.act("collected", lambda tx: counter.collect(tx, request, one.person, self.now))
        if made is None:
            return
        self.paid.append((one, request, made.id))
        given = sum(offer.tendered_fen for offer in request.offers)
        assert made.draft.total_fen + made.draft.change_fen == given, "what is not kept is handed back (Q-62)"
        for name, there in (("part", percent and found), ("top-up", up), ("deposit", deposit), (how, True)):
            self.done[f"collected: {name}"] += bool(there)

    @rule(window=WINDOW, room=ROOM, how=HOW, percent=PERCENT)
    def collect_all(self, window: int, room: int, how: str, percent: int | None) -> None:
        self.collect(window, room, 99, how, percent, None, False, False)

    @rule(window=WINDOW, room=ROOM, purpose=PURPOSE)
    def top_up(self, window: int, room: int, purpose: str) -> None:
        self.collect(window, room, 0, "cash", None, purpose, False, False)

    def request(
        self, one: Window, room: int, found: list[fees.Line], how: str, percent: int | None, up: str | None, deposit: bool
    ) -> counter.CollectRequest | None:
        due = sum(line.due_fen for line in found)
        part = None if percent is None or not found else due * percent // 100
        top_ups = (counter.TopUp(up, 7_777),) if up else ()
        deposits = (counter.DepositTaken("renovation", 50_000, "装修"),) if deposit else ()
        total = (due if part is None else part) + sum(top.amount_fen for top in top_ups) + 50_000 * deposit
        offers = self.offers(room, how, total)
        if not offers or total <= 0:
            return None
        return counter.CollectRequest(
            PROJECT, room, tuple(line.id for line in found), offers, due, self.key("pay"), one.shift.id, one.terminal,
            part_fen=part, top_ups=top_ups, deposits=deposits, keep_excess=how == "keep",
        )  # fmt: skip

    def offers(self, room: int, how: str, total: int) -> tuple[counter.Offer, ...]:
        reference = f"R{self.keys_used}"
        if how in ("pos", "transfer"):
            return (counter.Offer(cast(counter.Method, how), total, reference),)
        if how == "mixed" and total > 1:
            return (counter.Offer("pos", total // 3 or 1, reference), counter.Offer("cash", total - (total // 3 or 1) + 5_000))
        if how in ("change", "keep"):
            return (counter.Offer("cash", total + 3_333),)
        if how.startswith("wallet"):
            found, left = [], total
            for one in self.read(lambda tx: wallets.wallets_of_room(tx, PROJECT, room)):
                fen = min(one.balance_fen, left)
                if fen:
                    found.append(counter.Offer("wallet", fen, f"wallet:{one.id}"))
                    left -= fen
            cash = (counter.Offer("cash", left),) if left and (how != "wallet" or not found) else ()
            return (*found, *cash)
        return (counter.Offer("cash", total),) if total > 0 else ()

    @rule(window=WINDOW, room=ROOM, periods=st.integers(1, 4))
    def pay_ahead(self, window: int, room: int, periods: int) -> None:
        one = self.windows[window]
        offered = self.read(lambda tx: fees.ahead_of_room(tx, PROJECT, room, self.today))
        if not offered:
            return
        assignment = offered[0].assignment_id
        found = self.act("priced ahead", lambda tx: fees.ahead(tx, PROJECT, assignment, periods, self.today))
        if found is None:
            return
        ahead = (counter.PaidAhead(assignment, periods, found.payable_fen),)
        request = counter.CollectRequest(
            PROJECT, room, (), (counter.Offer("cash", found.payable_fen),), 0, self.key("ahead"), one.shift.id, one.terminal,
            ahead=ahead,
        )  # fmt: skip
        made = self.act("paid ahead", lambda tx: counter.collect(tx, request, one.person, self.now))
        if made is not None:
            assert made.draft.total_fen == found.payable_fen
            self.paid.append((one, request, made.id))

    @precondition(lambda self: self.paid)
    @rule(number=NUMBER, other=st.booleans())
    def send_again(self, number: int, other: bool) -> None:
        """C-06: the same key is the first receipt, whatever happened since; with `other` content it is refused."""
        one, request, receipt = self.paid[number % len(self.paid)]
        if other:
            changed = replace(request, expected_total_fen=request.expected_total_fen + 1)
            assert self.act("another content under a key", lambda tx: counter.collect(tx, changed, one.person, self.now)) is None
            return
        again = self.act("sent again", lambda tx: counter.collect(tx, request, one.person, self.now))
        assert again is not None and again.id == receipt

    @rule(window=WINDOW, room=ROOM, twice=st.booleans())
    def two_at_once(self, window: int, room: int, twice: bool) -> None:
        """A double click (`twice`) is one receipt; two cashiers who want the same bill get one, the other hears of it."""
        first, second = self.windows[window], self.windows[window if twice else 1 - window]
        found = self.read(lambda tx: counter.open_lines(tx, PROJECT, room, self.now))
        due = sum(line.due_fen for line in found)
        if due <= 0:
            return
        mine = self.request(first, room, found, "cash", None, None, False)
        assert mine is not None
        theirs = mine if twice else replace(mine, key=self.key("race"), shift_id=second.shift.id, terminal=second.terminal)
        got = self.at_once(
            lambda tx: counter.collect(tx, mine, first.person, self.now),
            lambda tx: counter.collect(tx, theirs, second.person, self.now),
        )
        made = {one.id for one in got if isinstance(one, counter.Receipt)}
        assert len(made) <= 1, "one bill, one receipt"
        if twice and made:
            assert all(isinstance(one, counter.Receipt) for one in got)
        for answer, who, request in zip(got, (first, second), (mine, theirs), strict=True):
            if isinstance(answer, counter.Receipt):
                self.paid.append((who, request, answer.id))
        self.done["two at once"] += bool(made)

    @rule(window=WINDOW, room=ROOM, wrong=st.sampled_from(("total", "room", "shift", "terminal", "project", "line", "person")))
    def not_allowed(self, window: int, room: int, wrong: str) -> None:
        """What a client may get wrong: refused, nothing moved."""
        one, other = self.windows[window], self.windows[1 - window]
        found = self.read(lambda tx: counter.open_lines(tx, PROJECT, room, self.now))
        if sum(line.due_fen for line in found) <= 0:
            return
        good = self.request(one, room, found, "cash", None, None, False)
        assert good is not None
        far = self.rows("SELECT id FROM charge_lines WHERE room_id = %s", FOREIGN_ROOM)[0][0]
        bad = {
            "total": replace(good, expected_total_fen=good.expected_total_fen - 1),
            "room": replace(good, room_id=next(room for room in ROOMS if room != good.room_id)),
            "shift": replace(good, shift_id=other.shift.id),
            "terminal": replace(good, terminal=other.terminal),
            "project": replace(good, project_id=FOREIGN_PROJECT),
            "line": replace(good, line_ids=(*good.line_ids, far)),
        }.get(wrong, good)
        who = other if wrong == "person" else one
        before = self.tell(), self.ids("receipts")
        got = self.act(f"wrong {wrong}", lambda tx: counter.collect(tx, bad, who.person, self.now))
        assert got is None and (self.tell(), self.ids("receipts")) == before

    @precondition(lambda self: self.ids("receipts"))
    @rule(number=NUMBER, decide=st.booleans())
    def void(self, number: int, decide: bool) -> None:
        receipt = pick(self.ids("receipts")[::-1], number)
        assert receipt is not None
        one = self.windows[number % 2]
        self.asked(
            self.act(
                "void asked",
                lambda tx: counter.ask_void(
                    tx, one.who, receipt, reason="金额打错", key=self.key("void"), terminal=one.terminal, now=self.now
                ),
            ),
            decide,
        )

    @precondition(lambda self: self.ids("receipts"))
    @rule(number=NUMBER, room=ROOM, decide=st.booleans())
    def move(self, number: int, room: int, decide: bool) -> None:
        receipt = pick(self.ids("receipts")[::-1], number)
        assert receipt is not None
        one = self.windows[number % 2]
        self.asked(
            self.act(
                "move asked",
                lambda tx: counter.ask_move(
                    tx, one.who, receipt, room, reason="收错了房间", key=self.key("move"), terminal=one.terminal, now=self.now
                ),
            ),
            decide,
        )

    @rule(window=WINDOW, room=ROOM, how=HOW, percent=PERCENT, up=st.one_of(st.none(), PURPOSE))
    def pay_and_void(self, window: int, room: int, how: str, percent: int | None, up: str | None) -> None:
        """Q-63: taken back at once, everything is as if the payment had never been."""
        one = self.windows[window]
        before = self.tell()
        found = self.read(lambda tx: counter.open_lines(tx, PROJECT, room, self.now))
        request = self.request(one, room, found, how, percent, up, False)
        if request is None:
            return
        made = self.act("collected to be voided", lambda tx: counter.collect(tx, request, one.person, self.now))
        if made is None:
            return
        asked = self.act(
            "void asked",
            lambda tx: counter.ask_void(
                tx, one.who, made.id, reason="金额打错", key=self.key("void"), terminal=one.terminal, now=self.now
            ),
        )
        assert asked is not None
        self.asked(asked, True)
        assert asked.id not in {one.id for one in self.waiting}, "nothing stands in the way of a void at once"
        after = self.tell()
        assert after == before, {name: (before[name], after[name]) for name in before if before[name] != after[name]}
        self.done["voided at once"] += 1

    @rule(window=WINDOW, room=ROOM, days=st.integers(0, 3), percent=PERCENT, decide=st.booleans())
    def late_entry(self, window: int, room: int, days: int, percent: int | None, decide: bool) -> None:
        """补录 of an earlier day (C-13)."""
        one, day = self.windows[window], days_before(self.now, days)
        found = self.read(lambda tx: fees.open_lines(tx, PROJECT, room, day))
        request = self.request(one, room, found, "cash", percent, None, False)
        if request is None:
            return
        self.asked(
            self.act(
                "late entry asked", lambda tx: ask_late_entry(tx, one.who, request, day, reason="停电，手工收据", now=self.now)
            ),
            decide,
        )

    @rule(room=ROOM, window=WINDOW)
    def deduct_beside_a_payment(self, room: int, window: int) -> None:
        """The night's deduction and a cashier at once: neither takes what the other took."""
        one = self.windows[window]
        found = self.read(lambda tx: counter.open_lines(tx, PROJECT, room, self.now))
        if sum(line.due_fen for line in found) <= 0:
            return
        request = self.request(one, room, found, "wallet and cash", None, None, False)
        assert request is not None

        async def night(tx: Tx) -> wallets.Deducted:
            return await wallets.deduct(tx, PROJECT, [room], at=self.now, by="system")

        got = self.at_once(lambda tx: counter.collect(tx, request, one.person, self.now), night)
        if isinstance(got[0], counter.Receipt):
            self.paid.append((one, request, got[0].id))
        assert not isinstance(got[1], GatehouseError) or isinstance(got[1], Conflict), got[1]


__all__ = ["HERE", "HOW", "NUMBER", "PERCENT", "PURPOSE", "ROOM", "WINDOW", "AtTheCounter"]
