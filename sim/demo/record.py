"""What really happened, by the simulator's own count, and whether the hub says the same, event by event and fen by fen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STREAMS = ("money", "series")


@dataclass
class Record:
    """The simulator's own books of a run that began with an empty hub.

    lanes      lane -> {"in", "out", "strokes"}: vehicles that went through, times the arm rose
    counter, lane_cash, orders   what was paid, by idempotency key, stay and order number, in fen
    billed     ledger account -> what all rooms were billed by it
    held       ledger account -> what stays the payers' own: prepayments that are left, deposits
    deducted_fen, deducted_late_fen   principal and late fees that the hub took from prepayments
    cash_fen, late_fen, short_fen   of the counters' payments in cash, late fees among them, what is missing in drawers
    bills, bill_faults   bills somebody was shown, and each that is not what it must be
    boxes      box -> what `gatehouse-edge status` says: stream -> {"epoch", "seq", "hash"}
    """

    lanes: dict[str, dict[str, int]] = field(default_factory=dict)
    counter: dict[str, int] = field(default_factory=dict)
    lane_cash: dict[str, int] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    boxes: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts_doubled: int = 0
    billed: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    deducted_fen: int = 0
    deducted_late_fen: int = 0
    cash_fen: int = 0
    late_fen: int = 0
    short_fen: int = 0
    bills: int = 0
    bill_faults: list[str] = field(default_factory=list)

    @property
    def events_sent(self) -> int:
        return sum(box[stream]["seq"] for box in self.boxes.values() for stream in STREAMS)


@dataclass
class Verdict:
    """What the hub lost or doubled, and every other difference in a sentence."""

    lost: int = 0
    doubled: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.faults)


def compare(record: Record, hub: Mapping[str, Any]) -> Verdict:
    """`hub` is what `gatehouse-hub counts --json` prints."""
    verdict = Verdict(doubled=record.receipts_doubled)
    _events(record, hub["fleet"], verdict)
    _lanes(record, hub["parking"], verdict)
    _money(record, hub, verdict)
    _accounts(record, hub["accounts"], verdict)
    verdict.faults += record.bill_faults
    if not hub["ledger_balanced"]:
        verdict.faults.append("the ledger does not balance")
    if not hub["chain_verified"]:
        verdict.faults.append(f"the hub's proof fails: {hub['first_fault']}")
    return verdict


def _events(record: Record, fleet: Mapping[str, Any], verdict: Verdict) -> None:
    for box, streams in record.boxes.items():
        known = fleet["boxes"].get(box, {})
        if known.get("quarantined") or known.get("refused"):
            verdict.faults.append(f"{box}: quarantined {known.get('quarantined')}, refused events {known.get('refused')}")
        for stream in STREAMS:
            sent = streams[stream]
            found = known.get(stream, {}).get("epochs", {}).get(sent["epoch"])
            if found is None:
                verdict.lost += sent["seq"]
                continue
            _tally(verdict, f"{box} {stream} events", sent["seq"], found["rows"])
            if (found["max_seq"], found["hash"]) != (sent["seq"], sent["hash"]):
                verdict.faults.append(f"{box} {stream}: the hub's event {found['max_seq']} is not the box's last, {sent['seq']}")


def _lanes(record: Record, parking: Mapping[str, Any], verdict: Verdict) -> None:
    for lane, happened in record.lanes.items():
        found = parking["lanes"].get(lane, {})
        for what in ("in", "out", "strokes"):
            _tally(verdict, f"{lane} {what}", happened[what], found.get(what, 0))
    if parking["strokes_unexplained"]:
        verdict.faults.append(f"{parking['strokes_unexplained']} strokes have no reason")
    if parking["stroke_gaps"]:
        verdict.faults.append(f"{parking['stroke_gaps']} strokes are missing from their lanes' counters")
    if parking["quote_differs"]:
        verdict.faults.append(f"{parking['quote_differs']} quotes of boxes differ from the hub's")


def _money(record: Record, hub: Mapping[str, Any], verdict: Verdict) -> None:
    payments = hub["payments"]
    ours = {"counter": record.counter, "lane_cash": record.lane_cash, "order": record.orders}
    for kind, taken in ours.items():
        _tally(verdict, f"{kind} payments", len(taken), payments[kind])
    paid = sum(sum(taken.values()) for taken in ours.values())
    if payments["fen"] != paid:
        verdict.faults.append(f"the hub has {payments['fen']} fen, {paid} were paid")
    for order, fen in record.orders.items():
        if hub["orders"].get(order) != fen:
            verdict.faults.append(f"order {order}: the hub has {hub['orders'].get(order)} fen, {fen} were paid")


def _accounts(record: Record, accounts: Mapping[str, int], verdict: Verdict) -> None:
    """The ledger's own totals, debit positive: bills, late fees, what is still owed, cash wherever it lies, what is missing."""

    def total(root: str) -> int:
        return sum(fen for account, fen in accounts.items() if account == root or account.startswith(f"{root}:"))

    deducted = record.deducted_fen + record.deducted_late_fen
    principal = sum(record.counter.values()) - record.late_fen - sum(record.held.values()) - deducted
    expected = {account: -fen for account, fen in (record.billed | record.held).items()} | {
        "receivable": sum(record.billed.values()) - principal - record.deducted_fen,
        "late_fee": -record.late_fen - record.deducted_late_fen,
        "over_short": record.short_fen,
    }
    for account, fen in expected.items():
        if total(account) != fen:
            verdict.faults.append(f"the ledger has {total(account)} fen on {account}, it must be {fen}")
    cash, ours = (
        total("cash_drawer") + total("cash_in_transit"),
        record.cash_fen + sum(record.lane_cash.values()) - record.short_fen,
    )
    if cash != ours:
        verdict.faults.append(f"the ledger has {cash} fen in cash, {ours} are there")


def _tally(verdict: Verdict, what: str, happened: int, found: int) -> None:
    verdict.lost += max(0, happened - found)
    verdict.doubled += max(0, found - happened)
    if happened != found:
        verdict.faults.append(f"{what}: {happened} happened, the hub has {found}")
