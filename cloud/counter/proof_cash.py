"""The proof of cash: what the hub says of counts, hand-overs, slips, arrivals and closes is what their ledger entries say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.counter import closing, handover, store_closing, store_proof_cash, store_recon
from cloud.ledger import service as ledger
from cloud.shared.db import Tx

Row = Mapping[str, Any]
Posting = tuple[str, str, int]
_PAGE = 1000
_SHEETS = 200


async def signed_closes(tx: Tx, key: Ed25519PublicKey) -> ledger.Witness:
    """The signed closes in scope as a witness of the chains: who rewrites the database cannot sign them anew."""
    return ledger.parse_witness("signed closes", "\n".join(await store_closing.signed(tx)), key)


async def cash_faults(tx: Tx) -> list[ledger.Fault]:
    """Everything in scope: each movement of cash has its row and its entry, with the same amounts and the same hands."""
    faults = await _entry_faults(tx)
    for row in await store_proof_cash.unposted(tx):
        faults.append(ledger.Fault(row["project_id"], 0, "cash", f"{row['what']} has no entry"))
    for row in await store_proof_cash.missing_counts(tx):
        detail = f"drawer {row['drawer']}: {row['missing']} counts are missing"
        faults.append(ledger.Fault(row["project_id"], 0, "count", detail))
    faults += [
        ledger.Fault(row["project_id"], row["seq"], "count", _count(row)) for row in await store_proof_cash.count_faults(tx)
    ]
    for row in await store_recon.faults(tx):
        detail = f"{row['source']}: {row['posted_fen']} fen are posted, {row['matched_fen']} fen are matched"
        faults.append(ledger.Fault(row["project_id"], row["seq"], "match", detail))
    return [*faults, *await _close_faults(tx)]


def _count(row: Row) -> str:
    name = f"count {row['id']}"
    if row["notes_fen"] != row["counted_fen"]:
        return f"{name}: counted {row['counted_fen']} fen, its notes come to {row['notes_fen']}"
    if row["handed_fen"] != row["counted_fen"]:
        return f"{name}: counted {row['counted_fen']} fen, handed over and kept are {row['handed_fen']}"
    if row["other_head"]:
        return f"{name}: entry {row['seq']} is another one than the count saw"
    return f"{name}: expected {row['drawer_fen']} fen, the ledger had {row['ledger_fen']}"


async def _entry_faults(tx: Tx) -> list[ledger.Fault]:
    faults = []
    after = 0
    while page := await store_proof_cash.entries(tx, after, _PAGE):
        wanted = await _wanted(tx, page)
        for entry in page:
            told = wanted.get(entry["id"])
            if told is None:
                faults.append(_fault(entry, f"{entry['source']} is gone"))
            elif isinstance(told, str):
                faults.append(_fault(entry, f"{entry['source']}: {told}"))
            elif sorted(one for one in told if one[2]) != sorted(map(tuple, entry["postings"])):
                faults.append(_fault(entry, f"{entry['source']}: its amounts or hands are not those of the entry"))
        after = page[-1]["id"]
    return faults


def _fault(entry: Row, detail: str) -> ledger.Fault:
    return ledger.Fault(entry["project_id"], entry["seq"], "cash", detail)


async def _wanted(tx: Tx, page: Sequence[Row]) -> dict[int, list[Posting] | str]:
    """By entry: the postings that its row asks for, or what is wrong with the row. An entry without its row is not in it."""
    of: dict[str, dict[int, list[int]]] = {}
    for entry in page:
        of.setdefault(entry["kind"], {}).setdefault(int(entry["source"].split(":")[1]), []).append(entry["id"])
    arrived = {row["entry_id"]: row for row in await store_proof_cash.arrivals(tx, [one["id"] for one in page])}
    variances, handovers = of.get("cash_variance", {}), of.get("cash_handover", {})
    passes = of.get("cash_pass", {})
    slips, differences, arrivals = (of.get(kind, {}) for kind in ("cash_slip", "cash_difference", "cash_arrival"))
    found: dict[int, list[Posting] | str] = {}
    for row in await store_proof_cash.variances(tx, list(variances)):
        found |= {entry: _variance(row, entry) for entry in variances[row["id"]]}
    for row in await store_proof_cash.handovers(tx, list(handovers)):
        found |= {entry: _handover(row, entry) for entry in handovers[row["id"]]}
    for row in await store_proof_cash.passes(tx, list(passes)):
        found |= {entry: _pass(row, entry) for entry in passes[row["id"]]}
    for row in await store_proof_cash.slips(tx, [*slips, *differences, *arrivals]):
        found |= {entry: _slip(row) for entry in slips.get(row["id"], ())}
        found |= {entry: _difference(row, entry) for entry in differences.get(row["id"], ())}
        found |= {entry: _arrival(row, arrived[entry]) for entry in arrivals.get(row["id"], ()) if entry in arrived}
    return found


def _variance(row: Row, entry: int) -> list[Posting] | str:
    if row["entry_id"] != entry or row["amount_fen"] != row["variance_fen"]:
        return "the count does not say that it was posted so"
    return [("cash_drawer", row["drawer"], row["amount_fen"]), ("over_short", f"person:{row['holder']}", -row["amount_fen"])]


def _handover(row: Row, entry: int) -> list[Posting] | str:
    if row["entry_id"] != entry or row["state"] != "confirmed":
        return "the hand-over does not say that it was confirmed so"
    return [
        ("cash_in_transit", handover.person_ref(row["receiver"]), row["amount_fen"]),
        ("cash_drawer", f"float:{row['project_id']}", row["change_fen"]),
        ("cash_drawer", row["drawer"], -(row["amount_fen"] + row["change_fen"])),
    ]


def _pass(row: Row, entry: int) -> list[Posting] | str:
    if row["entry_id"] != entry or row["state"] != "confirmed":
        return "it does not say that it was confirmed so"
    if row["handed_fen"] != row["amount_fen"]:
        return f"it says {row['amount_fen']} fen, its hand-overs come to {row['handed_fen']}"
    return [
        ("cash_in_transit", handover.person_ref(row["receiver"]), row["amount_fen"]),
        ("cash_in_transit", handover.person_ref(row["from_number"]), -row["amount_fen"]),
    ]


def _slip(row: Row) -> list[Posting] | str:
    if row["handed_fen"] != row["amount_fen"]:
        return f"it says {row['amount_fen']} fen, its hand-overs come to {row['handed_fen']}"
    return [
        ("cash_in_transit", f"slip:{row['id']}", row["amount_fen"]),
        ("cash_in_transit", handover.person_ref(row["depositor"]), -row["amount_fen"]),
    ]


def _difference(row: Row, entry: int) -> list[Posting] | str:
    if row["difference_entry"] != entry or row["difference_fen"] is None:
        return "the slip does not say that its difference was posted so"
    fen = row["difference_fen"]
    return [("cash_in_transit", f"slip:{row['id']}", fen), ("over_short", f"person:{row['depositor']}", -fen)]


def _arrival(row: Row, lines: Row) -> list[Posting] | str:
    if lines["slip_id"] != row["id"]:
        return "the bank's lines are of another slip"
    return [("bank", f"bank:{row['code']}", lines["fen"]), ("cash_in_transit", f"slip:{row['id']}", -lines["fen"])]


async def _close_faults(tx: Tx) -> list[ledger.Fault]:
    faults = []
    for row in await store_proof_cash.unsheeted(tx):
        faults.append(ledger.Fault(row["project_id"], row["seq"], "close", f"day {row['day']} was closed, its sheet is gone"))
    after = 0
    while page := await store_proof_cash.closes(tx, after, _SHEETS):
        days = [(row["project_id"], row["day"]) for row in page]
        takings = await closing.takings(tx, days)
        moved: dict[tuple[int, object], list[Row]] = {}
        for row in await store_proof_cash.moved(tx, days):
            moved.setdefault((row["project_id"], row["day"]), []).append({name: row[name] for name in ("root", "kind", "fen")})
        sheets = [json.loads(row["sheet"]) for row in page]
        counted = await store_proof_cash.counted(tx, [one["id"] for sheet in sheets for one in sheet["counts"]])
        for row, sheet in zip(page, sheets, strict=True):
            place = (row["project_id"], row["day"])
            detail = _bound(row) or _sums(sheet, takings.get(place, []), moved.get(place, [])) or _counts(sheet, counted)
            if detail:
                faults.append(ledger.Fault(row["project_id"], row["seq"], "close", f"sheet of {row['day']}: {detail}"))
        after = page[-1]["id"]
    return faults


def _bound(row: Row) -> str | None:
    """A sheet that is not what was hashed, closed and signed."""
    if row["digest"] != row["found"]:
        return "it is not the one that was hashed"
    if not row["closed"]:
        return "the ledger closed the day after another entry"
    signed = row["signed"]
    if signed is not None and not (
        signed.startswith(f"gatehouse heads 1\nclosing day {row['project_id']} {row['day']}\n")
        and f"\nhead {row['project_id']} {row['seq']} {row['hash']}\n" in signed
        and f'"{row["digest"]}"' in signed
    ):
        return "another one was signed"
    return None


def _sums(sheet: Mapping[str, Any], items: Sequence[Row], moved: Sequence[Row]) -> str | None:
    """A figure that receipts or ledger say otherwise."""
    told = closing.sums(items, moved)
    return next((f"{name}: {sheet[name]}, was {told[name]}" for name in told if sheet[name] != told[name]), None)


def _counts(sheet: Mapping[str, Any], counted: Mapping[int, tuple[int, int]]) -> str | None:
    for one in sheet["counts"]:
        if counted.get(one["id"]) != (one["counted_fen"], one["variance_fen"]):
            return f"count {one['id']} is gone or says otherwise"
    return None
