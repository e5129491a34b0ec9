"""A chain rewritten whole is found by those who knew it: boxes, papers, the signed daily close (DESIGN 3, G-16)."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud.counter import service as counter
from cloud.ledger import service as ledger
from protocols.errors import Refused, Stop
from protocols.uplink.acks import Head
from tests.support.money import EAST, NOON, bill, cashier, entry, line, request, shift

KEY = Ed25519PrivateKey.from_private_bytes(b"close key of a test, 32 bytes!!!")
OTHER = Ed25519PrivateKey.from_private_bytes(b"another key of a test, 32 bytes!")
HEADS = (Head(project=12, seq=0, hash="0" * 64), Head(project=11, seq=2, hash="ab" * 32))


def signed(key: Ed25519PrivateKey = KEY, heads=HEADS) -> str:
    return ledger.sign_heads(key, ledger.heads_text("day 11 2026-11-24", NOON, heads, {"cash": 12_345, "by": "张三"}))


def test_the_signed_text_is_what_the_papers_say():
    assert signed().splitlines()[:-1] == [
        "gatehouse heads 1",
        "closing day 11 2026-11-24",
        "at 2026-11-24T04:00:00.000000Z",
        'body {"by":"张三","cash":12345}',
        f"head 11 2 {'ab' * 32}",
        f"head 12 0 {'0' * 64}",
    ]
    assert ledger.check_signature(KEY.public_key(), signed())
    assert ledger.check_signature(KEY.public_key(), f"\n{signed()}\n\n")


@pytest.mark.parametrize(("old", "new"), [("head 11 2", "head 11 3"), ("12345", "12344"), ("signature ", "signature 0"),
                                          ("signature", "signed"), ("2026-11-24T", "2026-11-25T")])  # fmt: skip
def test_a_changed_text_is_not_signed(old, new):
    assert not ledger.check_signature(KEY.public_key(), signed().replace(old, new))
    assert not ledger.check_signature(OTHER.public_key(), signed())


def test_a_witness_file_holds_heads_papers_and_signed_texts():
    text = "\n".join([
        json.dumps({"project": 11, "seq": 1, "hash": "cd" * 32, "at": "2026-11-24T04:00:00Z"}),
        "",
        signed(),
        json.dumps({"book": "FQ-B", "number": 7, "check": "7K2M-9QXA"}),
        signed(OTHER),
    ])  # fmt: skip
    found = ledger.parse_witness("fq-01", text, KEY.public_key())
    assert found.heads == (Head(project=11, seq=1, hash="cd" * 32), HEADS[1], HEADS[0])
    assert found.papers == (ledger.Paper(book="FQ-B", number=7, check="7K2M-9QXA"),)
    assert found.unsigned == ("day 11 2026-11-24",)


@pytest.mark.parametrize(
    "text", ["x", "{}", "[]", '{"project": 11, "seq": 1}', '{"check": "7K2M-9QXA"}', "gatehouse heads 1\nat"]
)
def test_a_file_that_is_no_witness_is_refused_with_its_line(text):
    with pytest.raises(Refused, match="bad_witness"):
        ledger.parse_witness("file", text, KEY.public_key())


def test_signed_heads_need_the_key():
    with pytest.raises(Refused, match="no_close_key"):
        ledger.parse_witness("file", signed())


def test_the_close_key_is_a_file_of_its_own(tmp_path):
    with pytest.raises(Stop, match="no_keys"):
        ledger.close_key(tmp_path)
    path = tmp_path / "close.key"
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert ledger.check_signature(ledger.close_key(tmp_path).public_key(), signed())
    path.write_text("nothing")
    with pytest.raises(Stop, match="no_keys"):
        ledger.close_key(tmp_path)


async def test_verify_compares_with_what_boxes_papers_and_closings_know(money_db):
    async with money_db.tx(EAST) as tx:
        opened = await shift(tx)
        lines = await bill(tx, line(101, 1_000))
        receipt = await counter.collect(tx, request(opened, 101, lines, 1_000), cashier(), NOON)
        good = await ledger.heads(tx, 11)
        paper = ledger.Paper(book=receipt.book, number=receipt.number, check=receipt.check_code)
        text = signed(heads=good)
        at_close = ledger.parse_witness("close", text, KEY.public_key())
        missing = (await ledger.verify(tx, [at_close])).faults
        assert [(one.what, one.seq) for one in missing] == [("closing", 2)]
        await ledger.close_day(tx, 11, NOON.date(), at=NOON, by="0201")
        assert (await counter.verify(tx, [ledger.Witness("box", tuple(good), (paper,)), at_close])).ok
        bad = ledger.Witness(
            "box 7",
            (Head(project=11, seq=1, hash="ef" * 32), Head(project=11, seq=9, hash="ef" * 32), *good),
            (paper.model_copy(update={"check": "0000-0000"}), paper.model_copy(update={"number": 99})),
            ("day 11",),
        )
        faults = [(one.project_id, one.seq, one.what, one.detail) for one in (await counter.verify(tx, [bad])).faults]
    assert faults == [
        (0, 0, "signature", "box 7: day 11 is not signed with the close key"),
        (11, 1, "witness", "box 7: entry 1 is another one than was witnessed"),
        (11, receipt.entry_seq, "witness", f"box 7: receipt {receipt.book} 1 has another check code now"),
        (0, 0, "witness", f"box 7: receipt {receipt.book} 99 is gone"),
    ]


async def test_a_chain_cut_short_is_missed_by_its_witness(money_db, money_admin):
    async with money_db.tx(EAST) as tx:
        await ledger.post(tx, entry("a"))
        first = await ledger.heads(tx, 11)
        await ledger.post(tx, entry("b"))
        both = ledger.Witness("box", (*first, *await ledger.heads(tx, 11)))
    money_admin.tamper(
        "DELETE FROM ledger_postings WHERE entry_id = 2; DELETE FROM ledger_entries WHERE id = 2;"
        "UPDATE ledger_heads h SET (seq, hash) = (SELECT seq, hash FROM ledger_entries WHERE id = 1) WHERE project_id = 11;"
        "SELECT ledger_rebuild_days(11)"
    )
    async with money_db.tx(EAST) as tx:
        assert (await ledger.verify(tx)).ok
        faults = (await ledger.verify(tx, [both])).faults
    assert [(one.seq, one.what, one.detail) for one in faults] == [(2, "witness", "box: entry 2 was witnessed and is gone")]
