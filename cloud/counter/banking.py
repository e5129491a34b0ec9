"""Cash goes to the bank: slips over closed days, statements, arrival confirmed by somebody else (C-35 .. C-37, G-08, Y-02)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cloud.access import service as access
from cloud.access.service import Approval, Principal, audit
from cloud.counter import bank_files, handover, placing, statement, store_banking, store_closing, store_photos
from cloud.counter.domain_banking import kind_of
from cloud.counter.domain_cash import deadline, last_due, older
from cloud.counter.statement import Columns
from cloud.counter.store_banking import Slip
from cloud.estate import service as estate
from cloud.ledger import service as ledger
from cloud.shared.db import Database, Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

DIFFERENCE = "slip.difference"
LEAST_REASON = 5
_NEAR = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Imported:
    """`again`: the same file had come before. `added`: lines whose serial was new; `matched`: (line, slip no, short_fen)."""

    statement_id: int
    lines: int
    added: int
    again: bool
    matched: Sequence[tuple[int, str, Fen]] = ()


async def working(tx: Tx, company_id: int) -> Callable[[date], bool]:
    """Does the company work on a day? Saturday and Sunday off but for what its calendar says."""
    moved = await store_banking.calendar(tx, company_id)
    return lambda day: moved.get(day, day.weekday() < 5)


async def make_slip(
    tx: Tx, project_id: int, days: Sequence[date], account_id: int, who: Principal, *, key: str, at: datetime
) -> Slip:
    """A slip over the cash of closed days that the depositor has received; the same key gives the same slip (C-35).

    NotFound `project_not_found`, `account_not_found`; Refused `no_days`, `day_open`, `nothing_to_bank`; Conflict `key_used`.
    """
    project = await estate.get_project(tx, project_id)
    wanted = sorted(set(days))
    known = await store_banking.by_key(tx, project_id, key)
    if known is not None:
        if (list(known.days), known.depositor_id) != (wanted, who.user_id):
            raise Conflict("key_used", "这个请求号已经用于另一张缴款单", "the key belongs to another slip", field="key")
        return known
    account = await store_banking.account(tx, account_id) if 0 < account_id < 2**31 else None
    if account is None or account["company_id"] != project.company_id:
        raise NotFound("account_not_found", "没有这个银行账户", "no such account of this company", field="account")
    if not wanted:
        raise Refused("no_days", "选要缴存的日结", "no day is chosen", field="days")
    closed = await ledger.closed_through(tx, project_id)
    open_day = next((day for day in reversed(wanted) if closed is None or day > closed), None)
    if open_day is not None:
        raise Refused("day_open", f"{open_day:%m-%d} 还没有日结，先日结再缴款", f"{open_day} is not closed", field="days")
    found = await store_banking.to_bank(tx, project_id, who.user_id, wanted)
    amount = sum(row["amount_fen"] for row in found)
    if not amount:
        zh = "这几天没有你经手、还没缴存的现金"
        raise Refused("nothing_to_bank", zh, "nothing of these days is in your hands", field="days")
    covered = sorted({row["day"] for row in found})
    made = await store_banking.add_slip(
        tx,
        {
            "project": project_id, "account": account_id, "days": wanted, "amount": amount, "who_id": who.user_id,
            "who": who.number,
            "deadline": deadline(covered[0], await working(tx, project.company_id)), "who_name": who.name, "at": at, "key": key,
        },
        [row["id"] for row in found],
    )  # fmt: skip
    postings = [
        ledger.Posting(ledger.Account.CASH_IN_TRANSIT, amount, f"slip:{made}"),
        ledger.Posting(ledger.Account.CASH_IN_TRANSIT, -amount, handover.person_ref(who.number)),
    ]
    facts = {"slip": made, "days": [day.isoformat() for day in wanted], "account": account["code"]}
    await handover.post(tx, project_id, "cash_slip", f"slip:{made}", postings, at, **facts)
    await tx.notify("drawers", {"project_id": project_id, "slip": made})
    return await slip_of(tx, made)


async def slip_of(tx: Tx, slip_id: int, *, lock: bool = False) -> Slip:
    """NotFound `slip_not_found`, also outside the scope."""
    found = await store_banking.slip(tx, slip_id, lock=lock) if 0 < slip_id < 2**31 else None
    if found is None:
        raise NotFound("slip_not_found", "没有这张缴款单", f"no slip {slip_id}", field="slip")
    return found


async def put_evidence(
    tx: Tx, slip_id: int, photo: str | None, bank_receipt: str | None, who: Principal, *, day: date | None = None, at: datetime
) -> Slip:
    """The bank's receipt: its number, its day, and its picture by the hash of its upload. Refused `not_depositor`, `bad_day`,
    `bad_photo` for one that was not uploaded for this slip.
    """
    found = await slip_of(tx, slip_id, lock=True)
    if who.user_id != found.depositor_id:
        raise Refused("not_depositor", "由缴款人补回单", "the depositor brings the receipt")
    if day is not None and not business_date(found.made_at) - _NEAR <= day <= business_date(at):
        raise Refused("bad_day", "存入日期不对：不能晚于今天，也不能比缴款单早十天以上", "no day of this slip", field="bank_day")
    if photo is not None and await store_photos.of_slip(tx, slip_id, photo) is None:
        raise Refused("bad_photo", "照片没有上传到这张缴款单", "the photo was not uploaded for this slip", field="photo")
    await store_banking.evidence(tx, slip_id, photo, bank_receipt, day)
    await placing.place(tx, found.account_id)
    return await slip_of(tx, slip_id)


async def import_statement(
    tx: Tx, account_id: int, name: str, content: bytes, columns: Columns, who: Principal, *, at: datetime
) -> Imported:
    """Take in a bank's statement (C-36): the same file and the same serial count once. A line is a slip's by the slip's number or
    its bank receipt, as cash, in its days (`domain_banking`); what is like a slip but not plain waits for headquarters.

    NotFound `account_not_found`; Refused as `statement.read`, `other_account` when the file was imported for another account.
    """
    account = await store_banking.account(tx, account_id) if 0 < account_id < 2**31 else None
    if account is None:
        raise NotFound("account_not_found", "没有这个银行账户", f"no account {account_id}", field="account")
    sha256 = bank_files.digest(content)
    known = await store_banking.statement(tx, account_id, sha256)
    if known is None and await store_banking.elsewhere(tx, account_id, sha256):
        zh = "这份流水已经导入过另一个账户，请核对账户"
        raise Refused("other_account", zh, "the file was imported for another account", field="account")
    lines = [] if known else statement.read(content, columns)
    kinds = [(one, kind_of(one.told, one.remark, one.payer, account["holder"])) for one in lines]
    made = None
    if known is None:
        made = await store_banking.add_statement(tx, account, name[:120], sha256, kinds, (who.user_id or 0, who.number), at)
        known = await store_banking.statement(tx, account_id, sha256)
    assert known is not None
    if made is None:
        return Imported(known["id"], known["lines"], known["added"], True)
    matched = await placing.place(tx, account_id)
    told = {"name": name[:120], "sha256": sha256, "lines": len(lines), "added": made[1]}
    await audit(tx, who, "statement.import", f"account:{account_id}", None, told, "", at=at, company_id=account["company_id"])
    return Imported(made[0], len(lines), made[1], False, matched)


async def confirm_arrival(
    tx: Tx, slip_id: int, line_ids: Sequence[int], who: Principal, *, at: datetime, reason: str = ""
) -> Slip:
    """Money of these statement lines is this slip's: in transit -> bank; not by who held, counted or deposited it (Y-02).

    What is not plain needs a `reason`, which is kept. The same lines again change nothing. NotFound `slip_not_found`,
    `line_not_found`; Refused `own_deposit`, `other_account`, `nothing_arrived`, `needs_reason`; Conflict `line_used`.
    """
    slip = await slip_of(tx, slip_id, lock=True)
    if who.user_id == slip.depositor_id or who.user_id in await store_banking.handlers_of(tx, slip_id):
        raise Refused("own_deposit", "自己经手、自己存的钱，到账要由别人确认", "whoever handled a deposit does not confirm it")
    fresh = await _free_lines(tx, slip, sorted(set(line_ids)))
    if not fresh:
        return slip
    reason = reason.strip()[:200]
    unplain = await placing.why_not_plain(tx, slip, fresh)
    if unplain and len(reason) < LEAST_REASON:
        zh = f"要写明依据（至少 {LEAST_REASON} 个字）：{'；'.join(unplain)}"
        raise Refused("needs_reason", zh, "the line is not plainly this slip's: say why it is", field="reason")
    amount = sum(line["amount_fen"] for line in fresh)
    postings = [
        ledger.Posting(ledger.Account.BANK, amount, f"bank:{slip.account_code}"),
        ledger.Posting(ledger.Account.CASH_IN_TRANSIT, -amount, f"slip:{slip_id}"),
    ]
    ids = [line["id"] for line in fresh]
    if await store_banking.use(tx, ids, f"slip:{slip_id}", who.number, at) != len(ids):
        raise _used()
    source = f"slip:{slip_id}:arrival:{ids[0]}"
    made = await handover.post(tx, slip.project_id, "cash_arrival", source, postings, at, slip=slip_id, lines=ids, by=who.number)
    await store_banking.confirm(tx, ids, slip_id, (who.number, who.name), at, made, reason if unplain else None)
    if unplain:
        told = {"lines": ids, "amount_fen": amount, "doubts": unplain}
        await audit(
            tx, who, "slip.decide", f"slip:{slip_id}", None, told, reason, at=at, company_id=slip.company_id,
            project_id=slip.project_id,
        )  # fmt: skip
    await placing.place(tx, slip.account_id)
    done = await slip_of(tx, slip_id)
    if done.arrived_fen < done.amount_fen:
        await placing.alarm_short(tx, done, done.amount_fen - done.arrived_fen)
    await tx.notify("drawers", {"project_id": slip.project_id, "slip": slip_id})
    return done


async def _free_lines(tx: Tx, slip: Slip, wanted: Sequence[int]) -> list[store_banking.Row]:
    """The lines, locked, without those that are this slip's already."""
    lines = await store_banking.take_lines(tx, wanted)
    if len(lines) != len(wanted):
        raise NotFound("line_not_found", "没有这条流水", "no such line of a statement", field="lines")
    if not lines:
        raise Refused("nothing_arrived", "选银行流水里的到账", "no line is chosen", field="lines")
    if any(line["account_id"] != slip.account_id for line in lines):
        raise Refused("other_account", "流水不是缴款单的账户", "a line of another account", field="lines")
    if any(line["used_for"] not in (None, f"slip:{slip.id}") for line in lines):
        raise _used()
    return [line for line in lines if line["slip_id"] is None]


def _used() -> Conflict:
    return Conflict("line_used", "这条流水已经用过了，一条流水只能用一次", "a line is used once, ever", field="lines")


async def ask_difference(tx: Tx, slip_id: int, reason: str, who: Principal, *, key: str, at: datetime) -> Slip:
    """Ask that what differs goes to over/short, by the depositor or their manager: never without an approval (C-36).

    Refused `no_difference`, `no_reason`; NotAllowed `not_allowed`; Conflict `approval_waiting`.
    """
    slip = await slip_of(tx, slip_id, lock=True)
    fen = slip.arrived_fen - slip.amount_fen
    if slip.state != "short":
        raise Refused("no_difference", "没有到账，或者没有差异", "nothing arrived, or nothing differs")
    word = "多到" if fen > 0 else "少到"
    asked = await access.ask(
        tx, who, kind=DIFFERENCE, project_id=slip.project_id, subject=f"slip:{slip.id}",
        title=f"缴款单 {slip.no} {word} {yuan(abs(fen))} 元",
        amount_fen=abs(fen), payload={"slip": slip.id, "fen": fen}, before=f"应到 {yuan(slip.amount_fen)}",
        after=f"实到 {yuan(slip.arrived_fen)}", reason=reason, key=key, terminal="", now=at,
        beneficiary=f"person:{slip.depositor}",
    )  # fmt: skip
    await store_banking.difference(tx, slip_id, fen=fen, reason=asked.reason, approval_id=asked.id)
    return await slip_of(tx, slip_id)


async def carry_out(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """An approved difference of a count or of a slip goes to over/short. Refused `amount_changed` when more arrived meanwhile."""
    if "slip" not in approval.payload:
        return await handover.carry_out(tx, approval, principal, now)
    slip = await slip_of(tx, int(str(approval.payload["slip"])), lock=True)
    if ({slip.depositor_id} | await store_banking.handlers_of(tx, slip.id)) & handover.deciders(approval, principal):
        raise Refused("own_request", "自己经手的钱，差异要别人批", "whoever handled the cash does not approve its difference")
    fen = slip.arrived_fen - slip.amount_fen
    if fen != int(str(approval.payload["fen"])):
        raise Refused("amount_changed", "后来又有到账，请重新申请", f"the difference is {fen} fen now", field="amount")
    postings = [
        ledger.Posting(ledger.Account.CASH_IN_TRANSIT, fen, f"slip:{slip.id}"),
        ledger.Posting(ledger.Account.OVER_SHORT, -fen, f"person:{slip.depositor}"),
    ]
    source = f"slip:{slip.id}:difference"
    made = await handover.post(
        tx, slip.project_id, "cash_difference", source, postings, now, slip=slip.id, reason=approval.reason
    )
    await store_banking.difference(tx, slip.id, fen=fen, reason=approval.reason, entry_id=made)


async def overdue(tx: Tx, projects: Sequence[int], now: datetime) -> list[store_banking.Row]:
    """Projects whose cash should be at the bank by now: project_id, day (the last one due), fen (C-35); the oldest goes first."""
    found = []
    calendars: dict[int, Callable[[date], bool]] = {}
    for row in await store_banking.unbanked(tx, projects):
        if row["company_id"] not in calendars:
            calendars[row["company_id"]] = await working(tx, row["company_id"])
        day = last_due(now, calendars[row["company_id"]])
        fen = older(row["fen"], await store_banking.cash_since(tx, row["project_id"], day), day)
        if fen:
            found.append({"project_id": row["project_id"], "day": day, "fen": fen})
    return found


async def look_for_overdue(db: Database, now: datetime) -> None:
    """HQ hears once of each day whose cash did not reach the bank in time."""
    async with db.tx(await access.everything(db)) as tx:
        for row in await overdue(tx, await store_banking.every_project(tx), now):
            subject = f"day:{row['day']}"
            if await store_closing.first_time(tx, row["project_id"], "cash_overdue", subject, now):
                facts = {"project_id": row["project_id"], "kind": "cash_overdue", "subject": subject, "amount_fen": row["fen"]}
                await tx.notify("alarm", facts)


async def closes_of(tx: Tx, slip: Slip) -> list[store_closing.Close]:
    """The closes that a slip covers, as far as somebody closed each day by itself."""
    found = [await store_closing.close_of(tx, slip.project_id, day) for day in slip.days]
    return [one for one in found if one is not None]
