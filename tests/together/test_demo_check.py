"""`make demo-check` on real processes: it passes, and it fails when somebody was at the hub's books by hand."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from cloud.shared.migrate import APP
from cloud.shared.server import SUPERUSER, Place, Server
from tests.support.hub import Admin, folder

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("demo")]

BIN = Path(sys.executable).parent
KEYS = {
    "cars_in", "cars_out", "strokes", "strokes_unexplained", "payments", "readings", "events_sent", "lost", "doubled",
    "ledger_balanced", "chain_verified", "outage_s", "catch_up_s", "seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def checked() -> Iterator[tuple[Path, subprocess.CompletedProcess[str]]]:
    """A folder with a finished check, and how it ended."""
    with folder() as place:
        command = [str(BIN / "gatehouse-sim"), "demo-check", "--seed", "7", "--folder", str(place / "check")]
        yield place / "check", subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="module")
def books(checked: tuple[Path, subprocess.CompletedProcess[str]]) -> Iterator[Place]:
    """The hub's database of that check, running again."""
    server = Server(checked[0] / "hub")
    place = server.start(wait=30)
    assert place is not None
    yield place
    server.stop()


def compare(check: Path, place: Place, database: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GATEHOUSE_DSN": place.dsn(APP, database), "GATEHOUSE_DATA": str(check / "hub")}
    counts = subprocess.run(
        [str(BIN / "gatehouse-hub"), "counts", "--json"], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    command = [str(BIN / "gatehouse-sim"), "compare", str(check)]
    return subprocess.run(command, input=counts.stdout, capture_output=True, text=True, timeout=60, check=False)


def test_the_check_passes(checked: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    done = checked[1]
    assert done.returncode == 0, done.stderr[-2000:]
    line = json.loads(done.stdout.splitlines()[-1])
    assert set(line) == KEYS
    assert line["lost"] == line["doubled"] == line["strokes_unexplained"] == 0
    assert line["ledger_balanced"] and line["chain_verified"]
    assert line["cars_in"] + line["cars_out"] >= 40 and line["payments"] >= 300 and line["readings"] >= 1000


def test_bills_were_made_and_grew_late_fees(checked: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """F-09, Q-50, V-02: every bill that was shown at a counter is what the simulator's own arithmetic comes to."""
    record = json.loads((checked[0] / "record.json").read_text())
    assert record["bills"] >= 1_200 and record["bill_faults"] == []
    assert record["late_fen"] > 0 and record["short_fen"] == 350
    assert record["deducted_fen"] > 0 and record["held"]["deposit:renovation"] > 0, "prepayments paid bills, deposits were taken"
    assert any(fen < 0 for fen in record["counter"].values()), "a receipt was taken back"
    assert {"revenue:property", "revenue:space", "agency:refuse", "agency:water"} == set(record["billed"])


def test_pictures_came_whole(checked: tuple[Path, subprocess.CompletedProcess[str]], books: Place) -> None:
    """DESIGN 2.7: free passages are pictured; what an event names and the hub has is what the camera sent."""
    with psycopg.connect(books.dsn(SUPERUSER, "gatehouse")) as admin:
        named = admin.execute(
            "SELECT p.snapshot ->> 'sha256', (p.snapshot ->> 'size')::int FROM parking_passages p JOIN box_pictures b"
            " ON b.box = p.box AND b.sha256 = p.snapshot ->> 'sha256'"
        ).fetchall()
    assert named
    for sha256, size in named:
        content = (checked[0] / "hub" / "pictures" / sha256[:2] / sha256).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (sha256, size) and size <= 12_000


TAMPERED = {
    "an event deleted": "DELETE FROM box_events WHERE (box, stream, seq) = (SELECT box, stream, seq FROM box_events"
    " WHERE kind = 'passage' ORDER BY seq LIMIT 1)",
    "an event doubled": "INSERT INTO box_events SELECT (jsonb_populate_record(e, jsonb_build_object('seq', e.seq + 1000000))).*"
    " FROM box_events e WHERE (box, stream, epoch, seq) = (SELECT box, stream, epoch, seq FROM box_events"
    " WHERE kind = 'passage' ORDER BY seq LIMIT 1)",
    "a posting's amount changed": "UPDATE ledger_postings SET amount_fen = amount_fen + 100 WHERE (entry_id, line) ="
    " (SELECT entry_id, line FROM ledger_postings WHERE root = 'cash_drawer' LIMIT 1)",
    "a receipt's amount changed": "UPDATE receipt_tenders SET amount_fen = amount_fen - 100 WHERE (receipt_id, line) ="
    " (SELECT receipt_id, line FROM receipt_tenders LIMIT 1)",
    "a bill's amount changed": "UPDATE charge_lines SET amount_fen = amount_fen + 100 WHERE id ="
    " (SELECT min(id) FROM charge_lines WHERE amount_fen > 100 AND steps <> '{}')",
    "the account of a shortage changed": "UPDATE ledger_postings SET account = 'suspense' WHERE root = 'over_short'",
    "a stroke without a reason": "UPDATE parking_strokes SET reason = 'none' WHERE (lane, n) ="
    " (SELECT lane, n FROM parking_strokes LIMIT 1)",
}


def test_the_books_as_they_were_left_compare_equal(checked: tuple[Path, subprocess.CompletedProcess[str]], books: Place) -> None:
    done = compare(checked[0], books, "gatehouse")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("what", TAMPERED)
def test_a_hand_in_the_books_is_found(checked: tuple[Path, subprocess.CompletedProcess[str]], books: Place, what: str) -> None:
    """By a superuser who switched every guard off."""
    name = f"tampered_{list(TAMPERED).index(what)}"
    with psycopg.connect(books.dsn(SUPERUSER, "postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE gatehouse").format(sql.Identifier(name)))
    Admin(books.dsn(SUPERUSER, name)).tamper(TAMPERED[what])
    done = compare(checked[0], books, name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert json.loads(done.stdout)["faults"]
