"""Steps of the office: bills, waivers, adjustments, disputes, money held, refunds, sales, and what time brings."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cloud.access.service import Principal
from cloud.counter import closing, refunding, transferring
from cloud.estate import housekeeping
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import service as wallets
from tests.support.hub import CLOSE_KEY
from tests.support.month_bills import after
from tests.support.sequences_acts import Acts, pick
from tests.support.sequences_counter import NUMBER, PURPOSE, ROOM, WINDOW
from tests.support.sequences_world import BUYERS, COMPANY, PROJECT, ROOMS, days_before, run

FEN = st.integers(1, 60_000)
DECIDE = st.sampled_from((True, True, False))
CHOICE = st.sampled_from(("transfer", "refund", "stay"))


class InTheOffice(Acts):
    # ---- time

    @rule(hours=st.sampled_from((1, 9, 15, 24, 24 * 8, 24 * 30)))
    def later(self, hours: int) -> None:
        self.place.clock.time += timedelta(hours=hours)

    @rule(hours=st.sampled_from((1, 30)))
    def clock_goes_back(self, hours: int) -> None:
        """Somebody set the server's clock."""
        self.place.clock.time -= timedelta(hours=hours)

    @rule()
    def night(self) -> None:
        """What the hub does by itself: payers of the day, wallets pay, long shifts end, yesterday is closed."""
        self.run(housekeeping.tick(self.place.db, self.now, None))
        done = self.run(wallets.nightly(self.place.db, self.now))
        again = self.run(wallets.nightly(self.place.db, self.now))
        assert again.fen == 0, "what could be deducted was deducted"
        self.done["deducted"] += bool(done.fen)
        self.done["closed by the system"] += self.run(closing.close_what_is_open(self.place.db, self.now, CLOSE_KEY))

    @precondition(lambda self: self.waiting)
    @rule(number=NUMBER, approve=st.sampled_from((True, True, False)))
    def decide_what_waits(self, number: int, approve: bool) -> None:
        self.decide(self.waiting[number % len(self.waiting)], approve=approve)

    # ---- bills

    @rule(month=st.sampled_from((date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1))), publish=DECIDE)
    def bill(self, month: date, publish: bool) -> None:
        """A run of drafts that is published or thrown away."""
        through = after(month) - timedelta(days=1)
        self.act("billed" if publish else "dropped", lambda tx: run(tx, through, self.now, publish=publish))

    @rule(room=ROOM, item=st.sampled_from(("water", "garbage", "damage")), fen=FEN, week=st.integers(0, 3))
    def charge(self, room: int, item: str, fen: int, week: int) -> None:
        """A line by hand; the same again is the same line."""
        start = date(2026, 9, 1) + timedelta(days=7 * week)
        new = fees.NewLine(item, room, f"1-1-{room}", room, start, start + timedelta(days=7), f"{fen} 分", fen, start)
        self.act(
            "charged", lambda tx: fees.add_lines(tx, company_id=COMPANY, project_id=PROJECT, lines=[new], at=self.now, by="0301")
        )

    @precondition(lambda self: self.lines())
    @rule(number=NUMBER, principal=st.one_of(st.just(0), FEN), late=st.one_of(st.just(0), st.integers(1, 300)), decide=DECIDE)
    def waive(self, number: int, principal: int, late: int, decide: bool) -> None:
        line = pick(self.lines(), number)
        assert line is not None
        asked = self.act(
            "waiver asked",
            lambda tx: fees.ask_waiver(
                tx, self.people.clerks[0], PROJECT, line, principal_fen=principal, late_fee_fen=late, reason="空置证明",
                key=self.key("waive"), terminal="窗口 1", now=self.now,
            ),
        )  # fmt: skip
        self.asked(asked, decide)

    @precondition(lambda self: self.lines())
    @rule(number=NUMBER, fen=st.integers(-60_000, 60_000), decide=DECIDE)
    def adjust(self, number: int, fen: int, decide: bool) -> None:
        line = pick(self.lines(), number)
        assert line is not None
        asked = self.act(
            "adjustment asked",
            lambda tx: fees.ask_adjustment(
                tx, self.people.manager, PROJECT, line, amount_fen=fen, formula="复核差额", reason="面积复核",
                key=self.key("adjust"), terminal="办公室", now=self.now,
            ),
        )  # fmt: skip
        self.asked(asked, decide)

    @precondition(lambda self: self.lines())
    @rule(numbers=st.lists(NUMBER, min_size=1, max_size=3), decide=DECIDE)
    def cancel(self, numbers: list[int], decide: bool) -> None:
        lines = self.lines()
        ids = [lines[number % len(lines)] for number in numbers]
        asked = self.act(
            "cancel asked",
            lambda tx: fees.ask_cancel(
                tx, self.people.manager, PROJECT, ids, reason="抄错了", key=self.key("cancel"), terminal="办公室", now=self.now
            ),
        )
        self.asked(asked, decide)

    @precondition(lambda self: self.lines())
    @rule(number=NUMBER, end=st.booleans())
    def dispute(self, number: int, end: bool) -> None:
        line = pick(self.lines(), number)
        assert line is not None
        if end:
            self.act("dispute ended", lambda tx: fees.end_dispute(tx, PROJECT, line, day=self.today))
        else:
            self.act(
                "disputed", lambda tx: fees.dispute(tx, PROJECT, line, day=self.today, reason="有异议", by="0301", at=self.now)
            )

    # ---- money held

    @precondition(lambda self: self.ids("wallets"))
    @rule(number=NUMBER, purpose=PURPOSE, fen=FEN, decide=DECIDE)
    def to_other_wallet(self, number: int, purpose: str, fen: int, decide: bool) -> None:
        source = pick(self.ids("wallets"), number)
        assert source is not None

        async def ask(tx: Tx) -> object:
            found = await wallets.get(tx, source)
            to = await wallets.wallet(tx, PROJECT, room_id=found.room_id, owner_id=found.owner_id, purpose=purpose)
            return await wallets.ask_transfer(
                tx, self.people.clerks[0], from_id=source, to_id=to.id, amount_fen=min(fen, found.balance_fen), reason="业主来电",
                key=self.key("purpose"), terminal="窗口 1", now=self.now,
            )  # fmt: skip

        self.asked(self.act("transfer asked", ask), decide)  # type: ignore[arg-type]  # an Approval

    @rule(number=NUMBER, deposit=st.booleans(), cash=st.booleans(), fen=FEN, decide=DECIDE)
    def refund_held(self, number: int, deposit: bool, cash: bool, fen: int, decide: bool) -> None:
        """A wallet or a deposit goes back."""
        what = "deposit" if deposit else "wallet"
        held = pick(self.rows(f"SELECT id, balance_fen FROM {what}s WHERE project_id = {PROJECT} ORDER BY id"), number)
        if held is None:
            return
        new = wallets.NewRefund(
            f"{what}:{held[0]}", min(fen, held[1]), "cash" if cash else "transfer", "业主101", "" if cash else "6222", "退款"
        )
        asked = self.act(
            "refund asked",
            lambda tx: wallets.ask_refund(tx, self.people.manager, new, key=self.key("refund"), terminal="办公室", now=self.now),
        )
        self.asked(asked, decide)

    @precondition(lambda self: self.ids("receipts"))
    @rule(number=NUMBER, lines=st.lists(st.integers(1, 3), min_size=1, max_size=2), unstarted=st.booleans(), keep=st.booleans(),
          cash=st.booleans(), decide=DECIDE)  # fmt: skip
    def refund_receipt(self, number: int, lines: list[int], unstarted: bool, keep: bool, cash: bool, decide: bool) -> None:
        closed = self.rows(
            "SELECT r.id FROM receipts r JOIN shifts s ON s.id = r.shift_id WHERE s.closed_at IS NOT NULL AND r.reverses IS NULL"
            " ORDER BY r.id"
        )
        receipt = pick([row[0] for row in closed] or self.ids("receipts"), number)
        assert receipt is not None
        wanted = refunding.Wanted(
            receipt, tuple(lines), "not_started" if unstarted else "mistake", "cash" if cash else "transfer", "业主101",
            "" if cash else "6222", "keep" if keep else "reprice",
        )  # fmt: skip
        asked = self.act(
            "receipt refund asked",
            lambda tx: refunding.ask_receipt_refund(
                tx, self.people.manager, wanted, reason="重复缴费", key=self.key("back"), terminal="办公室", now=self.now
            ),
        )
        self.asked(asked, decide)

    @precondition(lambda self: self.ids("refunds"))
    @rule(number=NUMBER, window=WINDOW)
    def pay_out(self, number: int, window: int) -> None:
        refund, way = pick(self.rows(f"SELECT id, way FROM refunds WHERE project_id = {PROJECT} ORDER BY id"), number) or (0, "")
        who: Principal = self.people.clerks[window]
        if way == "cash":
            self.act("paid out in cash", lambda tx: refunding.pay_cash(tx, who, refund, self.now))
            return
        self.act(
            "paid out",
            lambda tx: wallets.pay_out(
                tx, who, refund, account=ledger.Account.BANK.of("icbc-hd"), ref=f"refund:{refund}", reference=f"TK{refund:06d}",
                now=self.now,
            ),
        )  # fmt: skip

    @precondition(lambda self: self.ids("deposits"))
    @rule(number=NUMBER, fen=FEN, more=st.sampled_from((0, 0, 30_000)), decide=DECIDE)
    def damage(self, number: int, fen: int, more: int, decide: bool) -> None:
        """A deposit pays for damage; `more`: what it cost beyond."""
        deposit = pick(self.ids("deposits"), number)
        assert deposit is not None
        asked = self.act(
            "deduction asked",
            lambda tx: wallets.ask_deduct(
                tx, self.people.clerks[0], deposit, wallets.Deduction(fen, fen + more, "damage", "墙面损坏"),
                key=self.key("damage"), terminal="窗口 1", now=self.now,
            ),
        )  # fmt: skip
        self.asked(asked, decide)

    @precondition(lambda self: self.ids("deposits") and self.lines())
    @rule(number=NUMBER, line=NUMBER, fen=FEN, decide=DECIDE)
    def offset(self, number: int, line: int, fen: int, decide: bool) -> None:
        deposit = pick(self.ids("deposits"), number)
        theirs = self.rows(
            "SELECT c.id FROM charge_lines c JOIN deposits d ON d.room_id = c.room_id"
            " WHERE d.id = %s AND c.status IN ('open', 'part') AND c.amount_fen > 0 ORDER BY c.id",
            deposit,
        )
        wanted = pick(theirs, line)
        if wanted is None:
            return
        assert deposit is not None
        asked = self.act(
            "offset asked",
            lambda tx: wallets.ask_offset(
                tx, self.people.clerks[0], deposit, {wanted[0]: fen}, reason="业主同意", key=self.key("offset"),
                terminal="窗口 1", now=self.now,
            ),
        )  # fmt: skip
        self.asked(asked, decide)

    # ---- 过户

    @rule(room=ROOM, buyer=st.sampled_from((*BUYERS, *ROOMS)), days=st.integers(-20, 20), over=st.booleans(), wallet=CHOICE,
          deposit=CHOICE, decide=DECIDE)  # fmt: skip
    def sell(self, room: int, buyer: int, days: int, over: bool, wallet: str, deposit: str, decide: bool) -> None:
        wanted = transferring.Wanted(
            room, buyer, days_before(self.now, days), "taken_over" if over else "stay", wallet, deposit, "between", "同意书 1",
            payee_account="6222",
        )  # fmt: skip
        asked = self.act(
            "sale asked",
            lambda tx: transferring.ask_transfer(
                tx, self.people.manager, wanted, reason="网签合同", key=self.key("sale"), terminal="办公室", now=self.now
            ),
        )
        self.asked(asked, decide)

    @rule(room=ROOM)
    def same_lines_for_room_and_payer(self, room: int) -> None:
        """C-01: what a room owes is what its payers owe there."""

        async def both(tx: Tx) -> tuple[set[int], set[int]]:
            mine = await fees.open_lines(tx, PROJECT, room, self.today)
            payers = {line.payer_id for line in mine if line.payer_id}
            theirs = [line for payer in payers for line in await fees.open_lines_of_payer(tx, PROJECT, payer, self.today)]
            assert all(line.due_fen != 0 or line.late_policy for line in mine), mine
            assert (await estate.get_room(tx, PROJECT, room)).id == room
            return {line.id for line in mine}, {line.id for line in theirs if line.room_id == room}

        mine, theirs = self.read(both)
        assert mine == theirs
