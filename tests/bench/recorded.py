"""The very SQL of a posting as a script for pgbench: recorded from the posting path, with another source each time."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, cast

import psycopg

from cloud.counter import posting
from cloud.counter.domain import Receipt
from cloud.counter.store import Book
from cloud.ledger import service as ledger
from cloud.shared.db import Scope, Tx
from cloud.shared.store import begin

TOKEN = "THE-SOURCE"


class _Heard(Exception):
    """The posting function's call is recorded; there is nothing to answer it with."""


class _Recorder:
    """Stands where a transaction would: takes down what is asked; what is told comes after the commit."""

    def __init__(self) -> None:
        self.call: tuple[str, Sequence[object]] = ("", ())

    async def notify(self, topic: str, payload: Mapping[str, object]) -> None:
        """Nothing of it is in the transaction."""

    async def fetch_one(self, query: str, params: Sequence[object]) -> dict[str, Any] | None:
        self.call = (query, params)
        raise _Heard


async def script(connection: psycopg.Connection, receipts: Sequence[tuple[Receipt, Book, int]]) -> str:
    """`receipts`: (what client n posts again and again, its book, its payer). One branch a client."""
    parts = ["\\set n random(1, 9000000000000000)"]
    for client, (receipt, book, payer) in enumerate(receipts):
        heard = _Recorder()
        draft = receipt.draft
        credits = [
            ledger.Posting(ledger.Account.RECEIVABLE, -line.amount_fen, f"line:{line.charge_line}") for line in draft.lines
        ]
        with contextlib.suppress(_Heard):
            await posting.book(
                cast(Tx, heard), draft, source=TOKEN, cash_ref=f"shift:{draft.shift_id}", credits=credits, receipt_book=book,
                fingerprint="0" * 64, payer=(f"owner:{payer}", receipt.payer or ""),
            )  # fmt: skip
        call = psycopg.ClientCursor(connection).mogrify(cast(LiteralString, heard.call[0]), heard.call[1])
        scope = Scope(frozenset({1}), frozenset({draft.project_id}))
        parts += [
            f"\\{'elif' if client else 'if'} :client_id = {client}",
            begin(scope.companies, scope.projects, scope.group).replace("; ", " \\; ") + ";",
            " ".join(_varied(call).split()) + ";",
            "COMMIT;",
        ]
    return "\n".join([*parts, "\\endif", ""])


def _varied(call: str) -> str:
    """Every text that holds the token gets a number of its own instead; JSON stays JSON."""

    def other(found: re.Match[str]) -> str:
        text = f"('{found[1]}' || :n || '{found[2]}')"
        return f"{text}::jsonb" if found[1].startswith(("{", "[")) else text

    return re.sub(rf"'([^']*){TOKEN}([^']*)'", other, call)
