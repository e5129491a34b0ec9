"""SQL of tender truth: settlement files, what is matched to what, differences and who looks after them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from cloud.counter.domain_recon import Ours, Theirs
from cloud.counter.settlement import SettlementRow
from cloud.shared.db import Tx

Row = dict[str, Any]


async def lock(tx: Tx, company_id: int) -> None:
    """Comparisons of one company follow each other."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"recon {company_id}",))


async def known_file(tx: Tx, account_id: int, sha256: str) -> Row | None:
    return await tx.fetch_one("SELECT id, lines FROM pos_files WHERE account_id = %s AND sha256 = %s", (account_id, sha256))


async def file_elsewhere(tx: Tx, account_id: int, sha256: str) -> bool:
    sql = "SELECT id FROM pos_files WHERE account_id <> %s AND sha256 = %s"
    return await tx.fetch_one(sql, (account_id, sha256)) is not None


async def add_file(
    tx: Tx, account: Row, name: str, sha256: str, rows: Sequence[SettlementRow], who: tuple[int, str], at: datetime
) -> tuple[int, int]:
    """(file id, how many rows were new); a batch is what of it this file brought."""
    known = await tx.fetch_all(
        "SELECT serial FROM pos_rows WHERE account_id = %s AND serial = ANY(%s)", (account["id"], [one.serial for one in rows])
    )
    old = {row["serial"] for row in known}
    fresh = {one.serial: one for one in rows if one.serial not in old}
    made = await tx.fetch_one(
        """
        INSERT INTO pos_files (company_id, account_id, name, sha256, at, by_id, by_number, lines, added)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (account["company_id"], account["id"], name, sha256, at, *who, len(rows), len(fresh)),
    )
    assert made is not None
    batches: dict[str, list[SettlementRow]] = {}
    for one in fresh.values():
        batches.setdefault(one.batch, []).append(one)
    for batch, found in batches.items():
        net, day = sum(one.amount_fen - one.fee_fen for one in found), max(one.day for one in found)
        row = await tx.fetch_one(
            """
            INSERT INTO pos_batches (company_id, file_id, account_id, batch, day, net_fen) VALUES (%s, %s, %s, %s, %s, %s)
            RETURNING id
            """,
            (account["company_id"], made["id"], account["id"], batch, day, net),
        )
        assert row is not None
        for one in found:
            await tx.execute(
                """
                INSERT INTO pos_rows (company_id, batch_id, account_id, day, reference, amount_fen, fee_fen, terminal, serial)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    account["company_id"], row["id"], account["id"], one.day, one.reference, one.amount_fen, one.fee_fen,
                    one.terminal, one.serial,
                ),
            )  # fmt: skip
    return int(made["id"]), len(fresh)


_OURS = """
    SELECT o.company_id, o.project_id, o.subject, o.channel, o.method, o.reference, o.other_reference, o.amount_fen, o.day,
           o.receipt_id, o.no, o.object, o.cashier, o.cashier_name, o.mate
    FROM report_counter_tenders o
    WHERE NOT EXISTS (SELECT FROM tender_matches m WHERE m.company_id = o.company_id AND m.ours = o.subject)
"""


def _ours(row: Row) -> Ours:
    numbers = tuple(one for one in (row["reference"], row["other_reference"]) if one)
    # A refund stands in the ledger where the first payment does.
    ref = f"{row['method']}:{row['other_reference'] or row['reference']}"
    return Ours(
        row["subject"], row["project_id"], row["channel"], numbers, row["amount_fen"], row["day"], ref, row["mate"] is None
    )


async def unmatched(tx: Tx, company_id: int, since: date) -> list[Ours]:
    return [_ours(row) for row in await tx.fetch_all(_OURS + " AND o.company_id = %s AND o.day >= %s", (company_id, since))]


async def ours_of(tx: Tx, subjects: Sequence[str]) -> list[tuple[Ours, Row]]:
    """Unmatched ones by what they are called, with their rows."""
    return [(_ours(row), row) for row in await tx.fetch_all(_OURS + " AND o.subject = ANY(%s)", (list(subjects),))]


_THEIRS = """
    SELECT company_id, account_id, subject, channel, reference, text, amount_fen, fee_fen, day, kind, batch_id, plain FROM (
        SELECT l.company_id, l.account_id, 'bank:' || l.id AS subject, 'bank' AS channel, l.serial AS reference, l.remark AS text,
               l.amount_fen, 0::bigint AS fee_fen, l.day, l.kind, null::int AS batch_id,
               l.suggested IS NOT NULL AND l.doubt IS NULL AS plain, l.twin IS NOT NULL AS twin
        FROM bank_lines l WHERE NOT EXISTS (SELECT FROM bank_line_uses u WHERE u.line_id = l.id)
        UNION ALL
        SELECT r.company_id, r.account_id, 'pos:' || r.id, 'pos', r.reference, '', r.amount_fen, r.fee_fen, r.day, 'pos',
               r.batch_id, false, false
        FROM pos_rows r WHERE NOT EXISTS (SELECT FROM pos_row_uses u WHERE u.row_id = r.id)) t
"""


def theirs(row: Row) -> Theirs:
    return Theirs(row["subject"], row["channel"], row["reference"], row["text"], row["amount_fen"], row["day"], row["fee_fen"])


async def free(tx: Tx, company_id: int) -> list[Theirs]:
    """What the other side says and nothing took, without cash for slips and what may stand twice."""
    rows = await tx.fetch_all(
        _THEIRS + " WHERE company_id = %s AND kind <> 'cash' AND NOT plain AND NOT twin ORDER BY day, subject", (company_id,)
    )
    return [theirs(row) for row in rows]


async def theirs_of(tx: Tx, subject: str) -> Row | None:
    return await tx.fetch_one(_THEIRS + " WHERE subject = %s", (subject,))


async def like(tx: Tx, company_id: int, channel: str, amount_fen: int, first: date, last: date) -> list[Row]:
    """What of theirs somebody may choose: of one sum within some days."""
    return await tx.fetch_all(
        _THEIRS
        + """
        WHERE company_id = %s AND channel = %s AND amount_fen = %s AND day BETWEEN %s AND %s AND NOT plain
        ORDER BY day DESC, subject LIMIT 20
        """,
        (company_id, channel, amount_fen, first, last),
    )


async def use_row(tx: Tx, row_id: int, by_number: str, at: datetime) -> int:
    """A row of a settlement file is used once, ever: how many were free."""
    return await tx.execute(
        """
        INSERT INTO pos_row_uses (row_id, company_id, at, by_number)
        SELECT id, company_id, %s, %s FROM pos_rows WHERE id = %s ON CONFLICT DO NOTHING
        """,
        (at, by_number, row_id),
    )


async def place_of(tx: Tx, subject: str) -> Row | None:
    """Where the money of one of theirs goes: account code; for a card payment its batch and whether that reached the account."""
    what, _, number = subject.partition(":")
    if what == "bank":
        return await tx.fetch_one(
            "SELECT a.code, NULL::int AS batch_id, true AS arrived FROM bank_lines l JOIN bank_accounts a ON a.id = l.account_id"
            " WHERE l.id = %s",
            (int(number),),
        )
    return await tx.fetch_one(
        """
        SELECT a.code, b.id AS batch_id, b.line_id IS NOT NULL AS arrived
        FROM pos_rows r JOIN pos_batches b ON b.id = r.batch_id JOIN bank_accounts a ON a.id = r.account_id
        WHERE r.id = %s FOR UPDATE OF b
        """,
        (int(number),),
    )


async def add_match(
    tx: Tx, ours: Ours, outside: str, fee_fen: int, reason: str | None, at: datetime, who: tuple[str, str], entry_id: int
) -> int:
    return await tx.execute(
        """
        INSERT INTO tender_matches (company_id, ours, outside, project_id, amount_fen, fee_fen, reason, at, by_number, by_name,
                                    entry_id)
        SELECT company_id, %s, %s, id, %s, %s, %s, %s, %s, %s, %s FROM projects WHERE id = %s ON CONFLICT DO NOTHING
        """,
        (ours.subject, outside, ours.amount_fen, fee_fen, reason, at, *who, entry_id, ours.project_id),
    )


async def put_pairs(tx: Tx, company_id: int, pairs: Sequence[tuple[str, str]]) -> None:
    """(ours, theirs) of one reference and two sums, instead of those before."""
    ours, outside = [one for one, _ in pairs], [one for _, one in pairs]
    await tx.execute(
        """
        DELETE FROM tender_pairs p WHERE p.company_id = %s AND NOT EXISTS (
            SELECT FROM unnest(%s::text[], %s::text[]) AS n (ours, outside) WHERE n.ours = p.ours AND n.outside = p.outside)
        """,
        (company_id, ours, outside),
    )
    await tx.execute(
        """
        INSERT INTO tender_pairs (company_id, ours, outside) SELECT %s, * FROM unnest(%s::text[], %s::text[])
        ON CONFLICT DO NOTHING
        """,
        (company_id, ours, outside),
    )


async def waiting_batches(tx: Tx, company_ids: Sequence[int]) -> list[Row]:
    """Batches whose sum did not reach the account yet, the oldest first."""
    return await tx.fetch_all(
        """
        SELECT b.batch_id, b.company_id, b.account_id, a.code, a.bank, a.tail, b.batch, b.day, b.net_fen, b.late_from
        FROM report_counter_pos_batches b JOIN bank_accounts a ON a.id = b.account_id
        WHERE b.company_id = ANY(%s) AND b.line_id IS NULL ORDER BY b.day, b.batch_id LIMIT 200
        """,
        (list(company_ids),),
    )


async def batches_for(tx: Tx, batch_ids: Sequence[int]) -> list[Row]:
    """Batches, locked, with the code of their account."""
    return await tx.fetch_all(
        """
        SELECT b.id AS batch_id, b.company_id, b.account_id, a.code, b.batch, b.day, b.net_fen, b.line_id
        FROM pos_batches b JOIN bank_accounts a ON a.id = b.account_id WHERE b.id = ANY(%s) ORDER BY b.id FOR UPDATE OF b
        """,
        (list(batch_ids),),
    )


async def cleared(tx: Tx, batch_id: int) -> list[tuple[int, int]]:
    """(project, fen) of a batch's payments that are matched: what lies in clearing until the batch reaches the account."""
    rows = await tx.fetch_all(
        """
        SELECT m.project_id, sum(m.amount_fen - m.fee_fen)::bigint AS fen
        FROM pos_rows r JOIN tender_matches m ON m.company_id = r.company_id AND m.outside = 'pos:' || r.id
        WHERE r.batch_id = %s GROUP BY m.project_id ORDER BY m.project_id
        """,
        (batch_id,),
    )
    return [(row["project_id"], row["fen"]) for row in rows]


async def arrive(tx: Tx, batch_id: int, line_id: int, at: datetime, by: str, reason: str | None) -> None:
    await tx.execute(
        "UPDATE pos_batches SET line_id = %s, arrived_at = %s, arrived_by = %s, reason = %s WHERE id = %s AND line_id IS NULL",
        (line_id, at, by, reason, batch_id),
    )


_MATCHES = """
    SELECT company_id, project_id, subject, channel, method, reference, day, at, receipt_id, no, object, cashier, cashier_name,
           ours_fen, theirs_fen, fee_fen, outside, state, how, matched_at, matched_by, match_reason, owner_number, owner_name,
           taken_at, resolution, reason, resolved_name, resolved_at, late_from
    FROM report_counter_tender_matches
"""


async def listed(
    tx: Tx, companies: Sequence[int], projects: Sequence[int], *, whole: bool, states: Sequence[str], channel: str,
    open_only: bool, late_on: date | None, before: tuple[date, str] | None, limit: int,
) -> list[Row]:  # fmt: skip
    """The newest first. `whole`: also what the other side alone has, which is of no project; `late_on`: late on that day."""
    day, subject = before or (date.max, "")
    return await tx.fetch_all(
        _MATCHES
        + """
        WHERE company_id = ANY(%s) AND (project_id = ANY(%s) OR %s AND project_id IS NULL) AND state = ANY(%s)
          AND (%s = '' OR channel = %s) AND (NOT %s OR resolved_at IS NULL) AND (%s::date IS NULL OR late_from <= %s)
          AND (day, subject) < (%s, %s)
        ORDER BY day DESC, subject DESC LIMIT %s
        """,
        (
            list(companies), list(projects), whole, list(states), channel, channel, open_only, late_on, late_on, day,
            subject, limit,
        ),
    )  # fmt: skip


async def one(tx: Tx, subject: str) -> Row | None:
    return await tx.fetch_one(_MATCHES + " WHERE subject = %s", (subject,))


async def counts(tx: Tx, companies: Sequence[int], projects: Sequence[int], *, whole: bool, on: date) -> list[Row]:
    """What is not settled by state: state, n, fen, late."""
    return await tx.fetch_all(
        """
        SELECT state, count(*)::int AS n, sum(coalesce(ours_fen, theirs_fen))::bigint AS fen,
               count(*) FILTER (WHERE late_from <= %s)::int AS late
        FROM report_counter_tender_matches
        WHERE company_id = ANY(%s) AND (project_id = ANY(%s) OR %s AND project_id IS NULL) AND state <> 'match'
          AND resolved_at IS NULL
        GROUP BY state
        """,
        (on, list(companies), list(projects), whole),
    )


async def take_case(tx: Tx, company_id: int, subject: str, who: tuple[int, str, str], at: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO tender_cases (company_id, subject, owner_id, owner_number, owner_name, taken_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (company_id, subject) DO UPDATE SET owner_id = excluded.owner_id, owner_number = excluded.owner_number,
            owner_name = excluded.owner_name, taken_at = excluded.taken_at
        """,
        (company_id, subject, *who, at),
    )


async def resolve_case(
    tx: Tx, company_id: int, subject: str, resolution: str, reason: str, who: tuple[str, str], at: datetime
) -> None:
    await tx.execute(
        """
        INSERT INTO tender_cases (company_id, subject, resolution, reason, resolved_by, resolved_name, resolved_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (company_id, subject) DO UPDATE SET resolution = excluded.resolution, reason = excluded.reason,
            resolved_by = excluded.resolved_by, resolved_name = excluded.resolved_name, resolved_at = excluded.resolved_at
        """,
        (company_id, subject, resolution, reason, *who, at),
    )


async def companies(tx: Tx) -> list[int]:
    """Companies with anything that came from the other side."""
    rows = await tx.fetch_all("SELECT DISTINCT company_id FROM bank_accounts ORDER BY company_id", ())
    return [row["company_id"] for row in rows]


async def faults(tx: Tx) -> list[Row]:
    """Entries that matched tenders, beside what the hub says was matched by them; also a match whose record was not used."""
    return await tx.fetch_all(
        """
        SELECT e.project_id, e.seq, e.source, coalesce(p.fen, 0)::bigint AS posted_fen, coalesce(m.fen, 0)::bigint AS matched_fen
        FROM (SELECT id, project_id, seq, source, kind FROM ledger_entries
              WHERE kind = 'tender_matched' OR id IN (SELECT entry_id FROM tender_matches)) e
        LEFT JOIN LATERAL (SELECT -sum(amount_fen) AS fen FROM ledger_postings
                           WHERE entry_id = e.id AND ref !~ '^(settle|account):' AND e.kind = 'tender_matched') p ON true
        LEFT JOIN LATERAL (SELECT sum(t.amount_fen) AS fen FROM tender_matches t
                           WHERE t.entry_id = e.id AND e.source = t.outside || ':matched:' || t.project_id
                             AND (EXISTS (SELECT FROM bank_line_uses u WHERE t.outside = 'bank:' || u.line_id)
                                  OR EXISTS (SELECT FROM pos_row_uses u WHERE t.outside = 'pos:' || u.row_id))) m ON true
        WHERE coalesce(p.fen, 0) <> coalesce(m.fen, 0) ORDER BY e.project_id, e.seq
        """,
        (),
    )
