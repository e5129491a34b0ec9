"""The proof: a wallet's or deposit's balance is the sum of its movements, and each movement is what its entry says (V-09)."""

from __future__ import annotations

from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from cloud.wallets import store_proof


async def faults(tx: Tx) -> list[ledger.Fault]:
    """Wallets and deposits in scope that disagree with their movements or with the ledger; empty when all agree."""
    found = [
        ledger.Fault(
            row["project_id"], 0, row["what"], f"{row['what']}:{row['id']} says {row['said']} fen, its movements {row['found']}"
        )
        for row in await store_proof.balance_faults(tx)
    ]
    for row in await store_proof.ledger_faults(tx):
        what = "deposit" if row["ref"].startswith("deposit") else "wallet"
        detail = (
            f"{row['ref'] or 'nobody'}: the movements of {row['source']} are {row['said']} fen, the ledger says {row['posted']}"
        )
        found.append(ledger.Fault(row["project_id"], row["seq"], what, detail))
    return found
