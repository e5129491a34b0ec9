"""The ledger's rules without a database: what a balanced entry is, what exactly is hashed, what a receipt's check code is.

**Canonical text.** An entry's content is UTF-8 text, one fact a line, `\n` between lines and none at the end:

    gatehouse entry 1
    kind <kind>
    source <what caused it: unique in the project>
    booked <when it happened, UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ>
    business <YYYY-MM-DD>
    reverses <sequence number of the entry taken back, or ->
    body <the facts as one line of compact JSON; personal values only as digests>
    posting <line> <account> <amount in fen, debit positive> <reference or ->      (one line each)

The chain joins it to its predecessor; the hash is SHA-256 over

    gatehouse chain 1
    project <project id>
    seq <1, 2, 3, ...>
    arrived <when the hub learned of it, UTC>
    prev <the hash before it in hex; 64 zeros for seq 1>
    content <SHA-256 of the content in hex>

The database computes both in `ledger_post` (migration 0040) and `verify` computes them again here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from protocols.errors import Refused
from protocols.money import Fen

GENESIS = "0" * 64

_ACCOUNT = re.compile(r"^[a-z_]+(:[a-z0-9_.-]{1,40})?$")
_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f]")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Account(StrEnum):
    """Root accounts; docs/ledger.md says which act posts what. After a colon comes the fee item ('revenue:property',
    'agency:water', 'deposit:renovation', 'waiver:property'), the purpose ('prepayment:water') or the account ('bank:ccb-01').
    """

    RECEIVABLE = "receivable"
    CASH_DRAWER = "cash_drawer"
    CASH_IN_TRANSIT = "cash_in_transit"
    BANK = "bank"
    PROVIDER_CLEARING = "provider_clearing"
    PREPAYMENT = "prepayment"
    DEPOSIT = "deposit"
    REFUND_PAYABLE = "refund_payable"
    REVENUE = "revenue"
    AGENCY = "agency"
    LATE_FEE = "late_fee"
    DISCOUNT = "discount"
    WAIVER = "waiver"
    BAD_DEBT = "bad_debt"
    PROVIDER_FEE = "provider_fee"
    OVER_SHORT = "over_short"
    SUSPENSE = "suspense"
    OPENING = "opening"

    def of(self, item: str) -> str:
        """The account of one fee item under this root."""
        return f"{self.value}:{item}"


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of an entry: debit positive, credit negative, never 0. `ref` says whose: 'line:17', 'shift:3', 'order:GH…'."""

    account: str
    amount_fen: Fen
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An entry to be posted.

    source     what caused it, unique in the project: posting the same source again returns the first entry
    booked_at  when it happened; arrived_at: when the hub learned of it (the same instant unless a box was cut off)
    body       facts to be hashed along; no personal value
    personal   field -> value: enters the hash only as a salted digest, the value stays erasable (O-10, Y-13)
    late       it could not come earlier (a box's event, a provider's notice, a job): when its day is closed it takes the first
               open day, and its facts say `relating_to` (C-34); without it a closed day refuses the entry
    """

    project_id: int
    kind: str
    source: str
    booked_at: datetime
    arrived_at: datetime
    business_date: date
    postings: Sequence[Posting]
    body: Mapping[str, object] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)
    reverses: int | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A posted entry. `repeated`: the source had been posted before, this is the first one. `day`: the business day it took."""

    id: int
    project_id: int
    seq: int
    hash: str
    day: date
    repeated: bool = False

    @property
    def check_code(self) -> str:
        return check_code(self.hash)


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry as read back for verification; `personal` lists (field, salt, value) that were not erased; `dated`: its postings
    stand under its own business day.
    """

    id: int
    project_id: int
    seq: int
    kind: str
    source: str
    booked_at: datetime
    arrived_at: datetime
    business_date: date
    reverses_seq: int | None
    body: str
    content: str
    prev: str
    hash: str
    postings: Sequence[tuple[int, str, Fen, str | None]]
    personal: Sequence[tuple[str, bytes, str]] = ()
    dated: bool = True


def check(request: Request) -> None:
    """Refused `unbalanced`, `bad_posting` or `bad_text` for what may never be posted (N-01)."""
    if len(request.postings) < 2:
        raise Refused("unbalanced", "一笔分录至少要有借贷两行", "an entry needs at least two postings")
    for posting in request.postings:
        if not posting.amount_fen or not _ACCOUNT.match(posting.account):
            raise Refused("bad_posting", "分录行的科目或金额不对", f"bad posting {posting.account} {posting.amount_fen}")
    total = sum(posting.amount_fen for posting in request.postings)
    if total:
        raise Refused("unbalanced", "借贷不平，不能入账", f"debits minus credits are {total} fen")
    for text in (request.kind, request.source, *(posting.ref or "" for posting in request.postings)):
        if _LINE_BREAK.search(text):
            raise Refused("bad_text", "分录文字不能含换行", "control characters may not enter an entry")


def canonical_json(value: Mapping[str, object]) -> str:
    """Compact JSON on one line with sorted keys: the form in which facts are hashed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def personal_digest(salt: bytes, value: str) -> str:
    """SHA-256(salt || value) in hex: what a chain keeps of a personal field (Y-13)."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


def content_text(entry: Stored) -> str:
    """The canonical text of an entry's content."""
    lines = [
        "gatehouse entry 1",
        f"kind {entry.kind}",
        f"source {entry.source}",
        f"booked {_utc(entry.booked_at)}",
        f"business {entry.business_date.isoformat()}",
        f"reverses {entry.reverses_seq or '-'}",
        f"body {entry.body}",
    ]
    lines += [f"posting {number} {account} {amount} {ref or '-'}" for number, account, amount, ref in entry.postings]
    return "\n".join(lines)


def chain_hash(entry: Stored, content: str) -> str:
    """The hash of an entry with this content (hex), joined to its predecessor."""
    text = (
        f"gatehouse chain 1\nproject {entry.project_id}\nseq {entry.seq}\narrived {_utc(entry.arrived_at)}\n"
        f"prev {entry.prev}\ncontent {content}"
    )
    return hashlib.sha256(text.encode()).hexdigest()


def fault(entry: Stored, expected_seq: int, expected_prev: str) -> tuple[str, str] | None:
    """What is wrong with an entry that should follow `expected_prev` as number `expected_seq`: (what, detail), or None."""
    if entry.seq < expected_seq:
        return ("doubled", f"a second entry {entry.seq}")
    if entry.seq > expected_seq:
        return ("missing", f"expected entry {expected_seq}, found {entry.seq}")
    total = sum(amount for _, _, amount, _ in entry.postings)
    if total or len(entry.postings) < 2:
        return ("unbalanced", f"{len(entry.postings)} postings, debits minus credits {total} fen")
    content = hashlib.sha256(content_text(entry).encode()).hexdigest()
    if content != entry.content:
        return ("content", "the postings or facts are not those that were hashed")
    if entry.prev != expected_prev:
        return ("link", "it does not follow the entry before it")
    if chain_hash(entry, content) != entry.hash:
        return ("hash", "its hash is not the hash of its content and predecessor")
    if not entry.dated:
        return ("day", "its postings are counted on another day")
    return _personal_fault(entry)


def _personal_fault(entry: Stored) -> tuple[str, str] | None:
    digests = json.loads(entry.body).get("personal", {})
    for name, salt, value in entry.personal:
        if digests.get(name) != personal_digest(salt, value):
            return ("personal", f"{name} is not the value that was hashed")
    return None


def check_code(entry_hash: str) -> str:
    """Eight characters cut from an entry's hash, as a receipt prints them: '7K2M-9QXA' (Crockford base 32, 40 bits)."""
    number = int(entry_hash[:10], 16)
    text = "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
    return f"{text[:4]}-{text[4:]}"


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
