"""Tender truth (G-09, C-16): settlement files come in, both sides are compared, what differs has an owner and an end.

What is matched moves in the ledger by an entry, once: a transfer from its reference to the account's proven balance; a card
payment from the terminal's to the batch's clearing less the acquirer's fee, and the batch to the account when its sum is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.access import service as access
from cloud.access.service import Principal, audit
from cloud.counter import bank_files, handover, settlement, store_banking, store_recon
from cloud.counter.domain_banking import names
from cloud.counter.domain_recon import RESOLUTIONS, Ours, Theirs, compare, shares
from cloud.counter.settlement import SettlementColumns
from cloud.ledger import service as ledger
from cloud.shared.db import Database, Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen
from protocols.time import business_date

LEAST_REASON = 5
_BACK = timedelta(days=60)
_SYSTEM = ("system", "系统")


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement file: `again` when the same file had come before, `added` rows that were new, `matched` tenders by now."""

    file_id: int
    lines: int
    added: int
    again: bool
    matched: int = 0


async def import_settlement(
    tx: Tx, account_id: int, name: str, content: bytes, columns: SettlementColumns, who: Principal, *, at: datetime
) -> Settled:
    """Take in an acquirer's settlement file and compare. The same file and the same payment count once.

    NotFound `account_not_found`; Refused `other_account`, and those of `settlement.read`.
    """
    account = await store_banking.account(tx, account_id) if 0 < account_id < 2**31 else None
    if account is None:
        raise NotFound("account_not_found", "没有这个银行账户", f"no account {account_id}", field="account")
    await store_recon.lock(tx, account["company_id"])
    sha256 = bank_files.digest(content)
    known = await store_recon.known_file(tx, account_id, sha256)
    if known is not None:
        return Settled(known["id"], known["lines"], 0, True)
    if await store_recon.file_elsewhere(tx, account_id, sha256):
        zh = "这份结算文件已经导入过另一个账户，请核对账户"
        raise Refused("other_account", zh, "the file was imported for another account", field="account")
    rows = settlement.read(content, columns)
    by = (who.user_id or 0, who.number)
    made, added = await store_recon.add_file(tx, account, name[:120], sha256, rows, by, at)
    told = {"name": name[:120], "sha256": sha256, "lines": len(rows), "added": added}
    await audit(tx, who, "settlement.import", f"account:{account_id}", None, told, "", at=at, company_id=account["company_id"])
    return Settled(made, len(rows), added, False, await match(tx, account["company_id"], at=at))


async def match(tx: Tx, company_id: int, *, at: datetime) -> int:
    """Compare both sides of a company by reference: how many tenders were matched."""
    await store_recon.lock(tx, company_id)
    free = await store_recon.free(tx, company_id)
    found = compare(await store_recon.unmatched(tx, company_id, business_date(at) - _BACK), free)
    done = 0
    for theirs, ours in found.matches:
        await _book(tx, theirs, ours, _SYSTEM, None, at)
        done += len(ours)
    await store_recon.put_pairs(tx, company_id, [(ours.subject, theirs.subject) for ours, theirs in found.pairs])
    taken = {theirs.subject for theirs, _ in found.matches} | {theirs.subject for _, theirs in found.pairs}
    await _arrive(tx, company_id, [one for one in free if one.channel == "bank" and one.subject not in taken], at)
    return done


async def _book(tx: Tx, theirs: Theirs, ours: Sequence[Ours], who: tuple[str, str], reason: str | None, at: datetime) -> None:
    """The entries of one of theirs, one a project, and what is matched to it. Conflict `line_used`, `already_matched`."""
    what, _, number = theirs.subject.partition(":")
    place = await store_recon.place_of(tx, theirs.subject)
    assert place is not None, f"{theirs.subject} is there"
    free = (
        await store_banking.use(tx, [int(number)], "tenders", who[0], at)
        if what == "bank"
        else await store_recon.use_row(tx, int(number), who[0], at)
    )
    if free != 1:
        raise Conflict("line_used", "这条记录已经用过了，只能用一次", "it is used once, ever", field="outside")
    settled = f"settle:{place['batch_id']}"
    by_project: dict[int, list[tuple[Ours, Fen]]] = {}
    for one, fee in shares(theirs, ours):
        by_project.setdefault(one.project_id, []).append((one, fee))
    for project_id, parts in sorted(by_project.items()):
        net = sum(one.amount_fen - fee for one, fee in parts)
        fees = sum(fee for _, fee in parts)
        postings = [
            ledger.Posting(ledger.Account.BANK, net, account_ref(place["code"]))
            if place["arrived"]
            else ledger.Posting(ledger.Account.PROVIDER_CLEARING, net, settled),
            ledger.Posting(ledger.Account.PROVIDER_FEE, fees, settled),
            *(ledger.Posting(_LIES[one.channel], -one.amount_fen, one.ref) for one, _ in parts),
        ]
        facts = {"outside": theirs.subject, "tenders": [one.subject for one, _ in parts], "by": who[0], "reason": reason or ""}
        source = f"{theirs.subject}:matched:{project_id}"
        moved = [one for one in postings if one.amount_fen]
        entry = await handover.post(tx, project_id, "tender_matched", source, moved, at, **facts)
        for one, fee in parts:
            if not await store_recon.add_match(tx, one, theirs.subject, fee, reason, at, who, entry):
                raise Conflict("already_matched", "这笔收款已经核对过了", f"{one.subject} is matched", field="ours")


_LIES = {"pos": ledger.Account.PROVIDER_CLEARING, "bank": ledger.Account.BANK}


def account_ref(code: str) -> str:
    """What of an account is proven by its statement, beside the cash of slips: 'account:icbc-0417'."""
    return f"account:{code}"


async def _arrive(tx: Tx, company_id: int, lines: Sequence[Theirs], at: datetime) -> None:
    """Batches whose number and exact sum stand on a line of their account."""
    for batch in await store_recon.waiting_batches(tx, [company_id]):
        for line in lines:
            late = batch["day"] + timedelta(days=10)
            if line.amount_fen == batch["net_fen"] and batch["day"] <= line.day <= late and names(line.text, batch["batch"]):
                row = await store_recon.theirs_of(tx, line.subject)
                if row is not None and row["account_id"] == batch["account_id"]:
                    await _book_batches(tx, [batch], int(line.subject.partition(":")[2]), _SYSTEM[0], None, at)
                    break


async def _book_batches(
    tx: Tx, batches: Sequence[store_recon.Row], line_id: int, by: str, reason: str | None, at: datetime
) -> None:
    if await store_banking.use(tx, [line_id], f"batch:{batches[0]['batch_id']}", by, at) != 1:
        raise Conflict("line_used", "这条流水已经用过了，只能用一次", "a line is used once, ever", field="line")
    for batch in batches:
        await store_recon.arrive(tx, batch["batch_id"], line_id, at, by, reason)
        for project_id, fen in await store_recon.cleared(tx, batch["batch_id"]):
            if not fen:
                continue
            postings = [
                ledger.Posting(ledger.Account.BANK, fen, account_ref(batch["code"])),
                ledger.Posting(ledger.Account.PROVIDER_CLEARING, -fen, f"settle:{batch['batch_id']}"),
            ]
            source = f"batch:{batch['batch_id']}:arrived:{project_id}"
            facts = {"batch": batch["batch"], "line": line_id, "by": by, "reason": reason or ""}
            await handover.post(tx, project_id, "settlement_arrived", source, postings, at, **facts)


async def decide_batches(tx: Tx, batch_ids: Sequence[int], line_id: int, reason: str, who: Principal, *, at: datetime) -> None:
    """Headquarters says which line brought these batches: their sum, exactly.

    NotFound `batch_not_found`, `line_not_found`; Refused `needs_reason`, `other_account`, `amount_differs`; Conflict `line_used`.
    """
    wanted = sorted(set(batch_ids))
    batches = await store_recon.batches_for(tx, wanted)
    lines = await store_banking.take_lines(tx, [line_id])
    if not wanted or len(batches) != len(wanted):
        raise NotFound("batch_not_found", "没有这个批次", "no such batch", field="batches")
    if not lines:
        raise NotFound("line_not_found", "没有这条流水", f"no line {line_id}", field="line")
    why = _reason(reason)
    if any(batch["account_id"] != lines[0]["account_id"] for batch in batches):
        raise Refused("other_account", "流水不是这个批次的账户", "a line of another account", field="line")
    if lines[0]["used_for"] is not None or any(batch["line_id"] is not None for batch in batches):
        raise Conflict("line_used", "这条流水或批次已经用过了，只能用一次", "it is used once, ever", field="line")
    if sum(batch["net_fen"] for batch in batches) != lines[0]["amount_fen"]:
        raise Refused("amount_differs", "批次净额合计和流水金额不一样", "the sums differ", field="line")
    await _book_batches(tx, batches, line_id, who.number, why, at)
    told = {"batches": wanted, "line": line_id, "amount_fen": lines[0]["amount_fen"]}
    company = batches[0]["company_id"]
    await audit(tx, who, "recon.batch", f"batch:{wanted[0]}", None, told, why, at=at, company_id=company)


async def decide(tx: Tx, subjects: Sequence[str], outside: str, reason: str, who: Principal, *, at: datetime) -> None:
    """Headquarters says which record paid these tenders, by more than the reference: their sum, exactly, and a reason.

    NotFound `tender_not_found`, `outside_not_found`; Refused `needs_reason`, `own_receipt`, `other_channel`, `amount_differs`,
    `slips_line`; Conflict `line_used`.
    """
    wanted = sorted(set(subjects))
    row = await store_recon.theirs_of(tx, outside)
    if row is None:
        raise NotFound("outside_not_found", "没有这条对方记录，或者已经用过了", f"no free record {outside}", field="outside")
    await store_recon.lock(tx, row["company_id"])
    found = [one for one in await store_recon.ours_of(tx, wanted) if one[1]["company_id"] == row["company_id"]]
    if not wanted or len(found) != len(wanted):
        raise NotFound("tender_not_found", "没有这笔收款，或者已经核对过了", "no such unmatched tender", field="ours")
    why = _reason(reason)
    if any(one["cashier"] == who.number for _, one in found):
        raise Refused("own_receipt", "自己收的款，要由别人核对", "whoever took a payment does not match it")
    if any(ours.channel != row["channel"] for ours, _ in found):
        raise Refused("other_channel", "不是同一个渠道的记录", "a record of another channel", field="outside")
    if row["plain"]:
        raise Refused("slips_line", "这条流水是缴款单的现金", "the line is a slip's cash", field="outside")
    if sum(ours.amount_fen for ours, _ in found) != row["amount_fen"]:
        raise Refused("amount_differs", "两边金额不一样，不能这样核对；先更正收据", "the sums differ", field="outside")
    await _book(tx, store_recon.theirs(row), [ours for ours, _ in found], (who.number, who.name), why, at)
    told = {"outside": outside, "tenders": wanted, "amount_fen": row["amount_fen"]}
    await audit(tx, who, "recon.decide", wanted[0], None, told, why, at=at, company_id=row["company_id"])
    await match(tx, row["company_id"], at=at)


async def difference(tx: Tx, subject: str) -> store_recon.Row:
    """One line of the comparison. NotFound `difference_not_found`, also outside the scope."""
    found = await store_recon.one(tx, subject)
    if found is None:
        raise NotFound("difference_not_found", "没有这条对账记录", f"nothing called {subject}", field="subject")
    return found


async def take(tx: Tx, subject: str, who: Principal, *, at: datetime) -> None:
    """Look after a difference. NotFound; Refused `no_difference`."""
    found = await _open(tx, subject, who)
    await store_recon.take_case(tx, found["company_id"], subject, (who.user_id or 0, who.number, who.name), at)
    told = {"owner": who.number}
    await audit(tx, who, "recon.take", subject, {"owner": found["owner_number"]}, told, "", at=at, company_id=found["company_id"])


async def resolve(tx: Tx, subject: str, resolution: str, reason: str, who: Principal, *, at: datetime) -> None:
    """A difference ends without a match, for a reason. NotFound; Refused `no_difference`, `bad_resolution`, `own_receipt`."""
    found = await _open(tx, subject, who)
    if resolution not in RESOLUTIONS or resolution == "not_ours" and found["project_id"] is not None:
        raise Refused("bad_resolution", "选一下怎么了结", f"no resolution {resolution}", field="resolution")
    why = _reason(reason)
    await store_recon.resolve_case(tx, found["company_id"], subject, resolution, why, (who.number, who.name), at)
    told = {"resolution": resolution, "amount_fen": found["ours_fen"] or found["theirs_fen"]}
    await audit(tx, who, "recon.resolve", subject, None, told, why, at=at, company_id=found["company_id"])


async def _open(tx: Tx, subject: str, who: Principal) -> store_recon.Row:
    found = await difference(tx, subject)
    if found["state"] == "match" or found["resolved_at"] is not None:
        raise Refused("no_difference", "这条已经核对或了结了", "nothing differs any more", field="subject")
    if found["cashier"] == who.number:
        raise Refused("own_receipt", "自己收的款，要由别人核对", "whoever took a payment does not settle its difference")
    return found


def _reason(text: str) -> str:
    found = text.strip()
    if not LEAST_REASON <= len(found) <= 200:
        zh = f"写明依据，{LEAST_REASON} 到 200 个字"
        raise Refused("needs_reason", zh, "a reason is needed", field="reason")
    return found


async def compare_all(db: Database, now: datetime) -> None:
    """What was booked or imported since is compared, company by company."""
    scope = await access.everything(db)
    async with db.tx(scope) as tx:
        found = await store_recon.companies(tx)
    for company_id in found:
        async with db.tx(scope) as tx:
            await match(tx, company_id, at=now)
