"""`verify` and `counts` over everything the hub has: each slice proves and counts its own rows, here they are put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.access import service as access
from cloud.counter import service as counter
from cloud.fleet import service as fleet
from cloud.ledger import service as ledger
from cloud.metering import service as metering
from cloud.parking import service as parking
from cloud.payments import service as payments
from cloud.shared.db import Database
from cloud.wallets import service as wallets
from protocols.errors import Refused


async def verify(
    db: Database, witnesses: Sequence[ledger.Witness] = (), *, close_key: Ed25519PublicKey | None = None
) -> dict[str, Any]:
    """{"ok", "projects", "entries", "faults": [{"where", "seq", "what", "detail"}]}, the ledger's own faults first.

    With the close key the signed closes that the hub itself keeps are witnesses too.
    """
    async with db.tx(await access.everything(db)) as tx:
        if close_key is not None:
            witnesses = [*witnesses, await counter.signed_closes(tx, close_key)]
        report = await counter.verify(tx, witnesses)
        faults = [
            {"where": f"project {one.project_id}", "seq": one.seq, "what": one.what, "detail": one.detail}
            for one in (*report.faults, *await wallets.faults(tx))
        ]
        for broken in await access.verify_audit(tx):
            faults.append({"where": f"audit {broken.chain}", "seq": broken.seq, "what": broken.what, "detail": broken.detail})
        for row in await fleet.verify(tx):
            where = f"box {row['box']} {row['stream']} {row['epoch']}"
            faults.append(
                {"where": where, "seq": row["seq"], "what": row["what"], "detail": "the event is not what the box sent"}
            )
    return {"ok": not faults, "projects": report.projects, "entries": report.entries, "faults": faults}


def public_close_key(keys: Path) -> Ed25519PublicKey | None:
    """The public half of the close key; None for a hub that has none yet."""
    return ledger.close_key(keys).public_key() if (keys / "close.key").exists() else None


def read_witnesses(files: Sequence[Path], keys: Path) -> list[ledger.Witness]:
    """Witness files; signed heads in them are held against the close key in `keys`. Refused `bad_witness`, `no_such_file`."""
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise Refused("no_such_file", f"读不了 {path}", f"{path}: {problem}", field="witness") from None
        key = ledger.close_key(keys).public_key() if "gatehouse heads" in text else None
        found.append(ledger.parse_witness(path.name, text, key))
    return found


async def rebuild_balances(db: Database) -> int:
    """Make the sums by day that balances are answered from anew; how many there are."""
    async with db.tx(await access.everything(db)) as tx:
        return await ledger.rebuild(tx)


async def counts(db: Database) -> dict[str, Any]:
    """What the hub has, recounted from its raw rows, and whether it can be proved."""
    async with db.tx(await access.everything(db)) as tx:
        found: dict[str, Any] = {
            "parking": await parking.counts(tx),
            "fleet": await fleet.counts(tx),
            "metering": await metering.counts(tx),
            "payments": await counter.counts(tx),
            "orders": await payments.paid_orders(tx),
            "notices": await payments.notice_counts(tx),
            "accounts": await ledger.balances(tx, None, "", date.max),
            "ledger_balanced": await ledger.balanced(tx),
        }
    report = await verify(db)
    first = report["faults"][0] if report["faults"] else None
    found["chain_verified"] = report["ok"]
    found["first_fault"] = None if first is None else sentence(first)
    return found


def sentence(fault: dict[str, Any]) -> str:
    """'project 11, entry 6: content: the postings ...'."""
    return f"{fault['where']}, entry {fault['seq']}: {fault['what']}: {fault['detail']}"
