"""Posting, witnessing and proving the ledger (DESIGN 3). Callers hand in their transaction; nothing here commits."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cloud.ledger import store, store_balances
from cloud.ledger.balances import (
    Balance,
    Late,
    Movement,
    RefBalance,
    arrived_since,
    balance,
    balances,
    balances_by_project,
    balances_by_ref,
    movements,
    rebuild,
)
from cloud.ledger.domain import (
    GENESIS,
    Account,
    Entry,
    Posting,
    Request,
    canonical_json,
    check,
    check_code,
    fault,
    personal_digest,
)
from cloud.ledger.domain_witness import Paper, Witness, check_signature, contradiction, heads_text, sign_heads
from cloud.ledger.domain_witness import parse as parse_witness
from cloud.ledger.periods import (
    Closed,
    close_day,
    close_month,
    closed_through,
    first_open_day,
    is_open,
    month_is_open,
    require_open_month,
)
from cloud.ledger.signing import close_key
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen
from protocols.time import business_date, iso
from protocols.uplink.acks import Head

__all__ = [
    "Account",
    "Balance",
    "Closed",
    "Entry",
    "Fault",
    "Late",
    "Movement",
    "Paper",
    "Posting",
    "RefBalance",
    "Request",
    "Sealed",
    "VerifyReport",
    "Witness",
    "arrived_since",
    "balance",
    "balanced",
    "balances",
    "balances_by_project",
    "balances_by_ref",
    "check_code",
    "check_signature",
    "close_day",
    "close_key",
    "close_month",
    "closed_through",
    "erase",
    "first_open_day",
    "heads",
    "heads_text",
    "is_open",
    "month_is_open",
    "movements",
    "negated",
    "outcome",
    "parse_witness",
    "personal",
    "post",
    "rebuild",
    "require_open_month",
    "reverse",
    "seal",
    "sign_heads",
    "to_suspense",
    "verify",
]

_PAGE = 2000


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checked request ready for the posting function: facts as they are hashed, salts of the personal fields."""

    request: Request
    asked: bytes
    body: str
    salts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first broken entry of a project: `what` is missing, unbalanced, content, link, hash, personal, head, ..."""

    project_id: int
    seq: int
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The proof over everything in scope: how much was checked and the first fault of each project."""

    projects: int
    entries: int
    faults: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.faults


def seal(request: Request) -> Sealed:
    """Check a request and make the facts that enter the chain. Refused `unbalanced`, `bad_posting`, `bad_text`."""
    check(request)
    salts = tuple(secrets.token_bytes(16) for _ in request.personal)
    digests = {field: personal_digest(salt, value) for (field, value), salt in zip(request.personal.items(), salts, strict=True)}
    facts = dict(request.body) | ({"personal": digests} if digests else {})
    return Sealed(request, _asked(request), canonical_json(facts), salts)


def _asked(request: Request) -> bytes:
    """What the caller wants, without what differs between two attempts (salts, arrival)."""
    facts = {
        "kind": request.kind,
        "booked": iso(request.booked_at),
        "business": request.business_date.isoformat(),
        "reverses": request.reverses,
        "body": dict(request.body),
        "postings": [(posting.account, posting.amount_fen, posting.ref) for posting in request.postings],
    }
    return hashlib.sha256(canonical_json(facts).encode()).digest()


async def post(tx: Tx, request: Request, *, subject: str | None = None) -> Entry:
    """Post one entry and lock its project's chain until the transaction ends; call it last.

    The same source with the same content returns the first entry (`repeated`). `subject` ('owner:12') is whose personal fields
    these are. NotFound `project_not_found` outside the scope; Conflict `source_used` for the same source with other content;
    Refused `day_closed` for a closed day, unless the request is `late`.
    """
    sealed = seal(request)
    word, entry = await store.post(tx, request, sealed.asked, sealed.body, sealed.salts, subject)
    return outcome(word, entry, request)


def outcome(word: str, entry: Entry | None, request: Request) -> Entry:
    """The posting function's answer as an entry or an error."""
    if word == "no_project":
        raise NotFound("project_not_found", "没有这个项目", f"no project {request.project_id}", field="project")
    if word == "day_closed":
        zh = f"{request.business_date:%m-%d} 已经日结，不能再入账"
        raise Refused("day_closed", zh, f"{request.business_date} is closed in project {request.project_id}", field="day")
    if word == "no_original" or entry is None:
        raise NotFound("entry_not_found", "没有要冲销的原分录", f"no entry {request.reverses} in this project")
    if word == "conflict":
        raise Conflict("source_used", "这笔已经入过账，内容不同", f"{request.source} was posted with other content")
    return entry


async def negated(tx: Tx, entry_id: int, *, source: str) -> list[Posting]:
    """The postings that take an entry back, for a caller who posts them with facts of its own and `reverses` (C-11).

    NotFound `entry_not_found`; Conflict `already_reversed` when another source did it before.
    """
    return (await _negated(tx, entry_id, source))[1]


async def _negated(tx: Tx, entry_id: int, source: str) -> tuple[int, list[Posting]]:
    original = await store.entry_with_postings(tx, entry_id)
    if original is None:
        raise NotFound("entry_not_found", "没有要冲销的原分录", f"no entry {entry_id}")
    before = await store.reversal_of(tx, entry_id)
    if before not in (None, source):
        raise Conflict("already_reversed", "这笔已经冲销过了", f"entry {entry_id} is already reversed")
    return original[0], [Posting(posting.account, -posting.amount_fen, posting.ref) for posting in original[1]]


async def reverse(tx: Tx, entry_id: int, *, source: str, at: datetime, reason: str, by: str) -> Entry:
    """Take an entry back: the same postings negated, naming the original (C-11).

    NotFound `entry_not_found`; Conflict `already_reversed` when another source did it before.
    """
    project_id, postings = await _negated(tx, entry_id, source)
    body = {"reason": reason, "by": by}
    return await post(tx, Request(project_id, "reversal", source, at, at, business_date(at), postings, body, reverses=entry_id))


async def to_suspense(
    tx: Tx,
    project_id: int,
    *,
    source: str,
    account: Account,
    amount_fen: Fen,
    ref: str,
    booked_at: datetime,
    arrived_at: datetime,
    facts: Mapping[str, object],
) -> Entry:
    """Money that came but whose reason was refused: debit where it lies, credit 待查, so that HQ's sum is right (DESIGN 2.4)."""
    postings = [Posting(account, amount_fen, ref), Posting(Account.SUSPENSE, -amount_fen, source)]
    day: date = business_date(booked_at)
    return await post(tx, Request(project_id, "suspense", source, booked_at, arrived_at, day, postings, facts, late=True))


async def heads(tx: Tx, project_id: int) -> list[Head]:
    """Witnesses for an acknowledgement: the head of the project's chain and of two projects without a box (DESIGN 3)."""
    return [Head(project=project, seq=seq, hash=hash_) for project, seq, hash_ in await store.heads(tx, project_id)]


async def balanced(tx: Tx) -> bool:
    """Every entry in scope balances, and so does the whole (N-01); computed from the postings."""
    total, broken = await store.balance(tx)
    return total == 0 and broken == 0


async def verify(tx: Tx, witnesses: Sequence[Witness] = ()) -> VerifyReport:
    """Recompute every chain in scope from its rows and name the first broken entry of each project; where the chain holds, what
    witnesses, closings and sums by day say otherwise. With a witness a chain that was rewritten whole is found too.
    """
    faults: list[Fault] = []
    entries = 0
    heads_found = await store.chain_heads(tx)
    for project_id, seq, hash_ in heads_found:
        checked, found = await _verify_chain(tx, project_id, seq, hash_)
        entries += checked
        if found is not None:
            faults.append(found)
    faults += await _witness_faults(tx, witnesses)
    broken = {fault.project_id for fault in faults}
    faults += [fault for fault in await _summary_faults(tx) if fault.project_id not in broken]
    return VerifyReport(len(heads_found), entries, tuple(faults))


async def _witness_faults(tx: Tx, witnesses: Sequence[Witness]) -> list[Fault]:
    """The first entry of each project that a witness knows otherwise, and signed texts that nobody signed."""
    faults = [
        Fault(0, 0, "signature", f"{witness.source}: {closing} is not signed with the close key")
        for witness in witnesses
        for closing in witness.unsigned
    ]
    days = sorted({(one.project, one.day, one.seq, one.hash): each.source for each in witnesses for one in each.closed}.items())
    there = await store_balances.closings(tx, [key for key, _ in days])
    for key, source in days:
        if key not in there:
            detail = f"{source}: day {key[1]} was closed after entry {key[2]}, these books say otherwise"
            faults.append(Fault(key[0], key[2], "closing", detail))
    known = sorted({(head.project, head.seq, head.hash): one.source for one in witnesses for head in one.heads}.items())
    hashes = await store.hashes(tx, [key[:2] for key, _ in known])
    agreed: dict[int, int] = {}
    named: set[int] = set()
    for (project, seq, hash_), source in known:
        contradicted = contradiction(Head(project=project, seq=seq, hash=hash_), hashes.get((project, seq)))
        if contradicted is None:
            agreed[project] = seq if project not in named else agreed.get(project, 0)
        elif project not in named:
            named.add(project)
            faults.append(Fault(project, min(agreed.get(project, 0) + 1, seq), "witness", f"{source}: {contradicted}"))
    return faults


async def _summary_faults(tx: Tx) -> list[Fault]:
    """What says other than the chains: closings, and the sums by day that balances are answered from."""
    faults = []
    for row in await store_balances.period_faults(tx):
        what = "its last entry is another one now" if row["what"] == "head" else "an entry was added to it later"
        faults.append(Fault(row["project_id"], row["seq"], "closing", f"{row['kind']} {row['day']} was closed: {what}"))
    for row in await store_balances.day_faults(tx):
        detail = f"{row['account']} on {row['day']} is summed up as {row['said']} fen, its postings come to {row['is']}"
        faults.append(Fault(row["project_id"], 0, "summary", detail))
    return faults


async def _verify_chain(tx: Tx, project_id: int, head_seq: int, head_hash: str) -> tuple[int, Fault | None]:
    expected, previous, after, checked = 1, GENESIS, (0, 0), 0
    while page := await store.entries_after(tx, project_id, after, _PAGE):
        for entry in page:
            problem = fault(entry, expected, previous)
            if problem is not None:
                seq = min(entry.seq, expected) if problem[0] == "missing" else entry.seq
                return checked, Fault(project_id, seq, *problem)
            expected, previous, after, checked = entry.seq + 1, entry.hash, (entry.seq, entry.id), checked + 1
    if (head_seq, head_hash) != (expected - 1, previous):
        seq = min(head_seq, expected - 1) + 1
        return checked, Fault(project_id, seq, "head", f"the chain ends at {expected - 1}, its head says {head_seq}")
    return checked, None


async def erase(tx: Tx, subject: str) -> int:
    """Delete a person's values and salts; the chains still verify (O-10, Y-13). How many were deleted."""
    return await store.erase(tx, subject)


async def personal(tx: Tx, entry_id: int, field: str) -> str | None:
    """A personal field of an entry; None once erased."""
    return await store.personal_value(tx, entry_id, field)
