"""Steps of the cash: counted, handed over, days closed, brought to the bank, found there or not."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cloud.access import service as access
from cloud.access.service import Principal
from cloud.counter import banking, closing, handover, shifts
from cloud.ledger import service as ledger
from tests.support.cash import notes
from tests.support.hub import CLOSE_KEY
from tests.support.month_cash import COLUMNS
from tests.support.sequences_acts import Acts, pick
from tests.support.sequences_counter import NUMBER, WINDOW
from tests.support.sequences_world import PROJECT, Window, days_before


class WithCash(Acts):
    def __init__(self) -> None:
        super().__init__()
        self.serial = 0

    @rule(window=WINDOW, off=st.sampled_from((0, 0, 0, -300, 6_000)), keep=st.sampled_from((20_000, 20_000, 0, 25_000)),
          steps=st.integers(1, 4), other=st.booleans())  # fmt: skip
    def hand_over(self, window: int, off: int, keep: int, steps: int, other: bool) -> None:
        """A blind count, its reason, the offer, the receipt: as far as `steps` goes; `other`: somebody else counts."""
        one = self.windows[window]
        self.count(one, off, self.people.manager if other else one.who, "复点" if other else "")
        standing = one.count
        if standing is None or steps < 2:
            return
        told = self.act(
            "explained", lambda tx: handover.explain(tx, standing, "找零错了", one.who, key=self.key("off"), at=self.now)
        )
        if told is not None and told.approval_id is not None and steps > 2:
            self.decide_by_id(told.approval_id)
        if steps > 2:
            self.offer(one, keep, receive=steps > 3)

    def count(self, one: Window, off: int, who: Principal, reason: str) -> bool:
        """What lies in the drawer, or `off` more, is counted."""
        (drawer,) = self.rows("SELECT coalesce(sum(amount_fen), 0) FROM ledger_postings WHERE ref = %s", f"shift:{one.shift.id}")
        fen = max(20_000 + int(drawer[0]) + off, 0)
        found = self.act(
            "counted",
            lambda tx: shifts.count_shift(tx, one.shift.id, notes(fen), who, key=self.key("count"), at=self.now, reason=reason),
        )
        one.count = one.count if found is None else found.id
        return found is not None

    def offer(self, one: Window, keep: int, *, receive: bool) -> None:
        count = one.count
        assert count is not None
        offered = self.act("offered", lambda tx: handover.offer(tx, count, keep, one.who, at=self.now))
        if offered is not None and offered.handover_id is not None and receive:
            self.receive(offered.handover_id, offered.handed_fen or 0, keep)

    def receive(self, number: int, amount: int, keep: int) -> None:
        self.act("handed over", lambda tx: handover.confirm(tx, number, amount, keep, self.people.manager, at=self.now))

    def decide_by_id(self, approval: int) -> None:
        self.asked(self.read(lambda tx: access.get(tx, approval)), True)

    @rule(bank=st.booleans())
    def a_day_ends(self, bank: bool) -> None:
        """Both drawers are counted and handed over, the day is closed; the next morning the counters open again."""
        for one in self.windows:
            if self.count(one, 0, one.who, ""):
                self.offer(one, 20_000, receive=True)
        self.close_day(0)
        self.place.clock.time += timedelta(hours=15)
        for one in self.windows:
            self.open(one)
        if bank:
            self.to_the_bank()

    @rule(number=NUMBER, refuse=st.booleans())
    def answer_an_offer(self, number: int, refuse: bool) -> None:
        """Whoever receives says yes or no, perhaps much later."""
        found = pick(
            self.rows("SELECT id, amount_fen, float_fen FROM cash_handovers WHERE state = 'waiting' ORDER BY id"), number
        )
        if found is None:
            return
        if refuse:
            self.act("hand-over refused", lambda tx: handover.refuse(tx, found[0], "金额不对", self.people.manager, at=self.now))
        else:
            self.receive(*found)

    @rule(days=st.integers(-1, 3))
    def close_day(self, days: int) -> None:
        day = days_before(self.now, days)
        key = self.key("close")
        made = self.act(
            "day closed", lambda tx: closing.close(tx, PROJECT, day, self.people.clerks[0], CLOSE_KEY, key=key, at=self.now)
        )
        if made is not None:
            again = self.act(
                "closed again", lambda tx: closing.close(tx, PROJECT, day, self.people.clerks[0], CLOSE_KEY, key=key, at=self.now)
            )
            assert again is not None and again.id == made.id
            other = self.people.clerks[1]
            twice = self.act(
                "closed twice", lambda tx: closing.close(tx, PROJECT, day, other, CLOSE_KEY, key="another-key", at=self.now)
            )
            assert twice is None

    @rule(months=st.integers(0, 1))
    def close_month(self, months: int) -> None:
        month = days_before(self.now, 30 * months).replace(day=1)
        self.act("month closed", lambda tx: closing.close_month(tx, PROJECT, month, self.people.clerks[0], at=self.now))

    @rule()
    def to_the_bank(self) -> None:
        """All closed days' cash that the manager has received, with one slip."""
        closed = self.read(lambda tx: ledger.closed_through(tx, PROJECT))
        days = [row[0] for row in self.rows("SELECT DISTINCT business_date FROM ledger_entries WHERE project_id = %s", PROJECT)]
        wanted = [day for day in days if closed is not None and day <= closed]
        self.act(
            "slip made",
            lambda tx: banking.make_slip(
                tx, PROJECT, wanted, self.people.account, self.people.manager, key=self.key("slip"), at=self.now
            ),
        )

    @precondition(lambda self: self.ids("deposit_slips"))
    @rule(number=NUMBER, short=st.sampled_from((0, 0, 1_000)), own=st.booleans(), difference=st.booleans())
    def at_the_bank(self, number: int, short: int, own: bool, difference: bool) -> None:
        """The bank's statement names a slip, perhaps with less; somebody else confirms it, never the depositor (Y-02)."""
        slip = pick(self.ids("deposit_slips"), number)
        assert slip is not None
        found = self.read(lambda tx: banking.slip_of(tx, slip))
        fen = max(found.amount_fen - found.arrived_fen - short, 1)
        self.serial += 1
        text = f"日期,金额,摘要,流水号\n{self.today},{fen // 100}.{fen % 100:02d},现金存入 {found.no},S{self.serial:06d}"
        told = self.act(
            "statement imported",
            lambda tx: banking.import_statement(
                tx, self.people.account, f"{self.serial}.csv", text.encode(), COLUMNS, self.people.finance, at=self.now
            ),
        )
        if told is None:
            return
        lines = [line for line, _, _ in told.matched] or [row[0] for row in self.rows("SELECT max(id) FROM bank_lines")]
        who = self.people.manager if own else self.people.second
        done = self.act("arrived", lambda tx: banking.confirm_arrival(tx, slip, lines, who, at=self.now))
        assert done is None or not own
        if done is not None and difference:
            asked = self.act(
                "difference asked",
                lambda tx: banking.ask_difference(
                    tx, slip, "银行点少了", self.people.manager, key=self.key("never"), at=self.now
                ),
            )
            if asked is not None and asked.approval_id is not None:
                self.decide_by_id(asked.approval_id)
