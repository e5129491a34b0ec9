"""The proof of the money: ledger, bills, receipts and books agree (`gatehouse-hub verify`), and the counts from the raw rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloud.counter import store, store_proof
from cloud.counter.domain import difference
from cloud.counter.proof_cash import cash_faults
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx

_PAGE = 1000


async def verify(tx: Tx, witnesses: Sequence[ledger.Witness] = ()) -> ledger.VerifyReport:
    """Everything in scope: chains intact and balanced, bills and receipts as they were hashed, receipts gapless, lines settled
    by their receipts and open for what the ledger says is owed. Faults name project, entry and what differs; the ledger's own
    come first. Witnesses: heads and papers that somebody outside the database keeps.
    """
    report = await ledger.verify(tx, witnesses)
    faults = [*report.faults, *await _paper_faults(tx, witnesses), *await fees.billing_faults(tx), *await _receipt_faults(tx)]
    for row in await store_proof.without_receipt(tx):
        faults.append(ledger.Fault(row["project_id"], row["seq"], "receipt", f"receipt {row['book']} {row['number']} is missing"))
    for row in await store_proof.half_reversed(tx):
        detail = f"receipt {row['id']} and its entry name different originals"
        faults.append(ledger.Fault(row["project_id"], row["seq"], "reversal", detail))
    for row in await store_proof.gaps(tx):
        faults.append(ledger.Fault(row["project_id"], 0, "gap", f"book {row['code']}: number {row['missing']} is missing"))
    for row in await store_proof.tender_faults(tx):
        detail = f"tender {row['line']} of receipt {row['id']} is counted elsewhere, on {row['business_date']}"
        faults.append(ledger.Fault(row["project_id"], row["seq"], "receipt", detail))
    faults += await fees.settling_faults(tx)
    faults += await fees.handover_faults(tx)
    for row in await store_proof.status_faults(tx):
        detail = f"charge line {row['id']} is called {row['status']} with {row['paid_fen']} of {row['due_fen']} fen paid"
        faults.append(ledger.Fault(row["project_id"], 0, "line", detail))
    for row in await store_proof.receivable_faults(tx):
        detail = f"open charge lines come to {row['open_fen']} fen, the ledger says {row['owed_fen']} are owed"
        faults.append(ledger.Fault(row["project_id"], 0, "receivable", detail))
    faults += await cash_faults(tx)
    return ledger.VerifyReport(report.projects, report.entries, tuple(faults))


async def _paper_faults(tx: Tx, witnesses: Sequence[ledger.Witness]) -> list[ledger.Fault]:
    """Printed receipts whose check code is not that of the entry under their number."""
    faults = []
    for witness in witnesses:
        hashes = await store_proof.hashes_of_papers(tx, [(paper.book, paper.number) for paper in witness.papers])
        for paper in witness.papers:
            found = hashes.get((paper.book, paper.number), [])
            if paper.check not in {ledger.check_code(hash_) for _, _, hash_ in found}:
                project, seq, _ = found[0] if found else (0, 0, "")
                what = "has another check code now" if found else "is gone"
                detail = f"{witness.source}: receipt {paper.book} {paper.number} {what}"
                faults.append(ledger.Fault(project, seq, "witness", detail))
    return faults


async def _receipt_faults(tx: Tx) -> list[ledger.Fault]:
    faults = []
    after = 0
    while page := await store_proof.page(tx, after, _PAGE):
        found = {receipt.id: receipt for receipt in await store.receipts(tx, [row["id"] for row in page])}
        for row in page:
            detail = _columns(row) or difference(found[row["id"]], row["body"])
            draft = found[row["id"]].draft
            if row["total_fen"] != draft.total_fen:
                detail = f"total_fen: {row['total_fen']}, its lines say {draft.total_fen}"
            if row["held_fen"] != draft.held_fen:
                detail = f"held_fen: {row['held_fen']}, its tenders say {draft.held_fen}"
            if detail:
                faults.append(ledger.Fault(row["entry_project"], row["seq"], "receipt", f"{found[row['id']].no}: {detail}"))
        after = page[-1]["id"]
    return faults


def _columns(row: dict[str, Any]) -> str | None:
    """A fact that stands in the receipt's row and in its entry's, but differs."""
    for name, here, entry in (
        ("project", row["project_id"], row["entry_project"]),
        ("kind", row["kind"], row["entry_kind"]),
        ("at", row["at"], row["booked_at"]),
        ("arrived_at", row["arrived_at"], row["entry_arrived"]),
        ("business_date", row["business_date"], row["entry_business"]),
    ):
        if here != entry:
            return f"{name}: {here}, was {entry}"
    return None


async def counts(tx: Tx) -> dict[str, int]:
    """`{"counter", "lane_cash", "order", "fen"}`: receipts by kind and the money in them, from the raw rows."""
    found = await store_proof.counts(tx)
    return {key: found.get(key, 0) for key in ("counter", "lane_cash", "order", "fen")}
