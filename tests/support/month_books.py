"""The second set of books of tests/together/test_month.py: what a month should come to, by plain arithmetic of its own.

Nothing of the product is used here. Amounts are whole fen, a debit is positive; accounts are called as docs/ledger.md calls them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

GRACE = timedelta(days=5)
PRIORITY = {"property": 10, "garbage": 15, "water": 20, "damage": 95}
PARTS = {"property", "water", "damage"}
"""Items whose bills may be paid in parts."""
PURPOSE = {"property": "property", "water": "water"}
AGENCY = {"water", "garbage"}
"""Items that are collected for others."""


def half_up(numerator: int, denominator: int) -> int:
    """A non-negative fraction to the nearest whole, a half upwards."""
    return (2 * numerator + denominator) // (2 * denominator)


def income(item: str) -> str:
    return f"{'agency' if item in AGENCY else 'revenue'}:{item}"


@dataclass(eq=False)
class Bill:
    """One charge line. `late`: half a thousandth a day.

    falls      (day, fen) of principal that went away, by payment or waiver
    corrected  (day, fen) of adjustment bills that point at it
    explained  calculated from a standard, so that it can be calculated again
    """

    project: int
    room: int
    item: str
    start: date
    to: date
    amount: int
    due: date
    late: bool
    payer: int | None
    id: int = 0
    adjusts: int | None = None
    paid: int = 0
    waived: int = 0
    late_paid: int = 0
    late_waived: int = 0
    falls: list[tuple[date, int]] = field(default_factory=list)
    corrected: list[tuple[date, int]] = field(default_factory=list)
    explained: bool = True

    @property
    def left(self) -> int:
        return self.amount - self.waived - self.paid

    def late_left(self, day: date) -> int:
        """0.05 % a day of what is unpaid, from the due date once the grace is over, at most the bill; less paid and waived.

        What was billed too much is owed no more from the day it is put right."""
        if not self.late or day <= self.due + GRACE:
            return 0
        left, days = self.amount, 0
        for on, fen in sorted([*self.falls, *self.put_right()], key=lambda fall: fall[0]):
            gone = min(fen, left)
            left -= gone
            if on > self.due + GRACE:
                days += gone * (on - self.due).days
        grown = min(half_up(5 * (days + left * (day - self.due).days), 10_000), self.amount)
        return max(grown - self.late_paid - self.late_waived, 0)

    def put_right(self) -> list[tuple[date, int]]:
        """The adjustments as one sum: what they take off, by the days of those that take off, the earliest first."""
        off, found = -sum(fen for _, fen in self.corrected), []
        for on, fen in self.corrected:
            if fen < 0 and off > 0:
                found.append((on, min(-fen, off)))
                off -= found[-1][1]
        return found

    def owes(self, day: date) -> int:
        return self.left + self.late_left(day)

    def open(self, day: date) -> bool:
        return self.owes(day) != 0

    def settle(self, principal: int, late: int, day: date) -> None:
        self.paid += principal
        self.late_paid += late
        if principal > 0:
            self.falls.append((day, principal))

    def unsettle(self, principal: int, late: int, day: date) -> None:
        self.paid -= principal
        self.late_paid -= late
        if principal > 0:
            self.falls.remove((day, principal))


Part = tuple[Bill, int, int]
"""(bill, principal, late fee): what of a payment a bill gets."""
Posting = tuple[str, int, str]
"""(account, fen, whose)."""


def in_order(bills: Iterable[Bill]) -> list[Bill]:
    return sorted(bills, key=lambda bill: (bill.due, PRIORITY[bill.item], bill.id))


def spread(bills: Iterable[Bill], amount: int, day: date, *, late_first: bool = False) -> list[Part]:
    """A payment over bills, oldest first: every principal before every late fee, or each late fee before its principal. What is
    negative is taken whole and pays for the others."""
    ordered = in_order(bills)
    money = amount - sum(bill.left for bill in ordered if bill.left < 0)
    got = {id(bill): [min(bill.left, 0), 0] for bill in ordered}
    turns = [(bill, 0) for bill in ordered] + [(bill, 1) for bill in ordered]
    if late_first:
        turns = [(bill, which) for bill in ordered for which in (1, 0)]
    for bill, which in turns:
        wanted = bill.late_left(day) if which else max(bill.left, 0)
        part = min(wanted, money)
        got[id(bill)][which] += part
        money -= part
    assert money == 0, "more money than is owed"
    return [(bill, *got[id(bill)]) for bill in ordered if any(got[id(bill)])]


@dataclass(eq=False)
class Taken:
    """A receipt: what it settled, what it brought into wallets and deposits, what it took out of wallets."""

    receipt: int
    project: int
    room: int
    day: date
    tenders: list[tuple[str, int, str]]
    parts: list[Part] = field(default_factory=list)
    filled: list[tuple[str, int]] = field(default_factory=list)
    spent: list[tuple[str, int]] = field(default_factory=list)
    deposits: list[tuple[int, int]] = field(default_factory=list)
    shift: int = 0

    @property
    def total(self) -> int:
        return sum(principal + late for _, principal, late in self.parts) + sum(fen for _, fen in self.filled + self.deposits)


class Books:
    """Every sum of the month, by project and whatever else it is asked by."""

    def __init__(self) -> None:
        self.bills: dict[int, list[Bill]] = {}
        self.wallets: Counter[tuple[int, str]] = Counter()
        """(room, purpose) -> fen; an owner's own wallet under minus the owner."""
        self.wallet_ids: dict[tuple[int, str], int] = {}
        self.deposits: dict[int, int] = {}
        self.deposit_rooms: dict[int, int] = {}
        self.days: Counter[tuple[int, date, str]] = Counter()
        self.refs: Counter[tuple[int, str, str]] = Counter()
        """(project, account, whose) -> fen."""
        self.tenders: Counter[tuple[int, date, str]] = Counter()
        self.items: Counter[tuple[int, date, str]] = Counter()
        self.receipts: Counter[int] = Counter()
        self.acts: Counter[str] = Counter()
        self.standing: dict[int, Taken] = {}
        """Receipts of bills alone that nobody took back."""

    # ---- postings

    def post(self, project: int, day: date, *postings: Posting) -> None:
        assert sum(fen for _, fen, _ in postings) == 0, "the second books do not balance either"
        for account, fen, ref in postings:
            self.days[project, day, account] += fen
            self.refs[project, account, ref] += fen

    def balance(self, project: int, root: str, ref: str | None = None) -> int:
        return sum(
            fen
            for (where, account, whose), fen in self.refs.items()
            if where == project and account.partition(":")[0] == root and ref in (None, whose)
        )

    # ---- bills

    def bill(self, bills: Sequence[Bill], day: date) -> None:
        """One bill entry over bills of one project."""
        sums: Counter[str] = Counter()
        for one in bills:
            self.bills.setdefault(one.room, []).append(one)
            sums[income(one.item)] += one.amount
        project = bills[0].project
        self.post(project, day, ("receivable", sum(sums.values()), ""), *((name, -fen, "") for name, fen in sums.items()))

    def open(self, room: int, day: date) -> list[Bill]:
        return in_order(bill for bill in self.bills.get(room, ()) if bill.open(day))

    def every_bill(self, project: int) -> Iterator[Bill]:
        for bills in self.bills.values():
            yield from (bill for bill in bills if bill.project == project)

    def owed(self, parts: Iterable[Part], sign: int = -1) -> list[Posting]:
        """The side of a payment that says what is owed no more."""
        found = []
        for _, principal, late in parts:
            found += [("receivable", sign * principal, "")] if principal else []
            found += [("late_fee", sign * late, "")] if late else []
        return found

    # ---- receipts

    def take(self, taken: Taken) -> None:
        """A receipt: money lies where its tender says, bills, wallets and deposits move."""
        for bill, principal, late in taken.parts:
            bill.settle(principal, late, taken.day)
        for purpose, fen in taken.filled:
            self.wallets[taken.room, purpose] += fen
        for purpose, fen in taken.spent:
            self.wallets[taken.room, purpose] -= fen
        for deposit, fen in taken.deposits:
            self.deposits[deposit] = fen
            self.deposit_rooms[deposit] = taken.room
        self._receipt(taken, taken.day, 1)
        if taken.receipt and taken.parts and not (taken.filled or taken.spent or taken.deposits):
            self.standing[taken.receipt] = taken

    def take_back(self, taken: Taken, day: date) -> None:
        """A receipt of the same amounts the other way round; all is as if the first had never been."""
        for bill, principal, late in taken.parts:
            bill.unsettle(principal, late, taken.day)
        for purpose, fen in taken.filled:
            self.wallets[taken.room, purpose] -= fen
        for purpose, fen in taken.spent:
            self.wallets[taken.room, purpose] += fen
        for deposit, fen in taken.deposits:
            self.deposits[deposit] -= fen
        self._receipt(taken, day, -1)
        self.standing.pop(taken.receipt, None)

    def _receipt(self, taken: Taken, day: date, sign: int) -> None:
        postings: list[Posting] = []
        for method, fen, ref in taken.tenders:
            account = {"cash": "cash_drawer", "pos": "provider_clearing", "transfer": "bank"}[method]
            postings.append((account, sign * fen, f"shift:{taken.shift}" if method == "cash" else f"{method}:{ref}"))
            self.tenders[taken.project, day, method] += sign * fen
        postings += [(f"prepayment:{purpose}", sign * fen, f"{taken.room}") for purpose, fen in taken.spent]
        postings += self.owed(taken.parts, -sign)
        postings += [(f"prepayment:{purpose}", -sign * fen, f"{taken.room}") for purpose, fen in taken.filled]
        postings += [("deposit:renovation", -sign * fen, f"deposit:{number}") for number, fen in taken.deposits]
        self.post(taken.project, day, *postings)
        for bill, principal, late in taken.parts:
            self.items[taken.project, day, bill.item] += sign * (principal + late)
        for purpose, fen in taken.filled:
            self.items[taken.project, day, f"prepayment:{purpose}"] += sign * fen
        for _, fen in taken.deposits:
            self.items[taken.project, day, "deposit:renovation"] += sign * fen
        self.receipts[taken.project] += 1

    # ---- held money

    def deduct_night(self, project: int, rooms: Iterable[int], day: date) -> int:
        """Wallets pay what is open: by payer, oldest bill first, the wallet of its purpose before the general one. How much."""
        total = 0
        for room in sorted(rooms):
            groups: dict[int | None, list[Bill]] = {}
            for bill in sorted(self.open(room, day), key=lambda one: one.id):
                if bill.owes(day) > 0:
                    groups.setdefault(bill.payer, []).append(bill)
            for bills in groups.values():
                total += self._deduct(project, room, sorted(bills, key=lambda one: (one.due, one.id)), day)
        return total

    def _deduct(self, project: int, room: int, bills: Sequence[Bill], day: date) -> int:
        parts: list[Part] = []
        spent: Counter[tuple[int, str]] = Counter()
        for bill in bills:
            owed, pays = bill.owes(day), Counter[tuple[int, str]]()
            holders = (room,) if bill.payer is None else (room, -bill.payer)
            for purpose in dict.fromkeys((PURPOSE.get(bill.item, "general"), "general")):
                for holder in holders:
                    there = self.wallets[holder, purpose] - spent[holder, purpose]
                    pays[holder, purpose] = min(there, owed - sum(pays.values()))
            fen = sum(pays.values())
            if fen and (fen == owed or bill.item in PARTS):
                spent += pays
                parts.append((bill, min(fen, bill.left), fen - min(fen, bill.left)))
        if not parts:
            return 0
        self.post(
            project, day, *((f"prepayment:{purpose}", fen, f"{who}") for (who, purpose), fen in spent.items()), *self.owed(parts)
        )
        for held, fen in spent.items():
            self.wallets[held] -= fen
        for bill, principal, late in parts:
            bill.settle(principal, late, day)
        self.acts["deducted"] += 1
        return sum(spent.values())
