"""The proof of cash: what the hub says of counts, hand-overs, slips, arrivals and closes is what their ledger entries say."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.counter import store_closing
from cloud.ledger import service as ledger
from cloud.shared.db import Tx


async def signed_closes(tx: Tx, key: Ed25519PublicKey) -> ledger.Witness:
    """The signed closes in scope as a witness of the chains: who rewrites the database cannot sign them anew."""
    return ledger.parse_witness("signed closes", "\n".join(await store_closing.signed(tx)), key)
