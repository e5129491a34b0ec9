"""Who else knows a chain: heads kept by boxes, check codes on paper, heads signed at the daily close (DESIGN 3, G-16). Pure.

**Signed heads**, as the daily close prints, mails and keeps them, are UTF-8 text, one fact a line, `\\n` between lines:

    gatehouse heads 1
    closing <what was closed: 'day <project id> <YYYY-MM-DD>' for a daily close, which verify then misses if it is moved or gone>
    at <UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ>
    body <the sums of the closing as one line of compact JSON>
    head <project id> <seq> <hash in hex>            (one line each, by project)
    signature <Ed25519 over all lines above, in hex>

**A witness file** holds such texts, or JSON lines: a head {"project": 11, "seq": 5, "hash": "…"} as a box keeps it, or what
a paper says {"book": "FQ-B", "number": 31883, "check": "7K2M-9QXA"}; other members of an object are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud.ledger.domain import canonical_json
from protocols.errors import Refused
from protocols.uplink.acks import Head

_DAY = re.compile(r"^day (\d+) (\d{4}-\d\d-\d\d)$")
_FIRST, _SIGNATURE = "gatehouse heads 1", "signature "


class Paper(BaseModel):
    """What a printed receipt says of its entry."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    book: str = Field(min_length=1, max_length=40)
    number: int = Field(gt=0)
    check: str = Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$")


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A signed daily close: the day of a project, and the head of its chain then."""

    project: int
    day: date
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Witness:
    """What somebody outside the database knows: `source` says who. `unsigned`: texts whose signature is not the close key's."""

    source: str
    heads: tuple[Head, ...] = ()
    papers: tuple[Paper, ...] = ()
    unsigned: tuple[str, ...] = ()
    closed: tuple[ClosedDay, ...] = ()


def heads_text(closing: str, at: datetime, heads: Sequence[Head], body: Mapping[str, object]) -> str:
    """The text that is signed; see above."""
    if "\n" in closing:
        raise Refused("bad_text", "结账名称不能含换行", "a closing's name is one line")
    lines = [
        _FIRST,
        f"closing {closing}",
        f"at {at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        f"body {canonical_json(body)}",
    ]
    lines += [f"head {head.project} {head.seq} {head.hash}" for head in sorted(heads, key=lambda head: head.project)]
    return "\n".join(lines)


def sign_heads(key: Ed25519PrivateKey, text: str) -> str:
    """The whole signed text: `text` and its signature line."""
    return f"{text}\n{_SIGNATURE}{key.sign(text.encode()).hex()}"


def check_signature(key: Ed25519PublicKey, signed: str) -> bool:
    """Whether a signed text is what the close key signed; surrounding blank lines do not matter."""
    text, _, last = signed.strip("\n").rpartition("\n")
    if not last.startswith(_SIGNATURE):
        return False
    try:
        key.verify(bytes.fromhex(last.removeprefix(_SIGNATURE)), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def parse(source: str, content: str, key: Ed25519PublicKey | None = None) -> Witness:
    """A witness file. Refused `bad_witness` with the line for what is none, `no_close_key` for signed heads without a key."""
    heads: list[Head] = []
    papers: list[Paper] = []
    unsigned: list[str] = []
    closed: list[ClosedDay] = []
    signed: list[str] = []
    for number, line in enumerate(content.splitlines(), 1):
        if line == _FIRST or signed:
            signed.append(line)
            if line.startswith(_SIGNATURE):
                unsigned += _take(signed, key, heads, closed)
                signed = []
        elif line.strip():
            one = _json_line(source, number, line)
            (papers if isinstance(one, Paper) else heads).append(one)  # type: ignore[arg-type]  # each to its own list
    if signed:
        raise _bad(source, len(content.splitlines()), "签名行不见了")
    return Witness(source, tuple(heads), tuple(papers), tuple(unsigned), tuple(closed))


def _take(signed: list[str], key: Ed25519PublicKey | None, heads: list[Head], closed: list[ClosedDay]) -> list[str]:
    """Adds what one signed text says; its closing when the signature is wrong, and then nothing in it counts."""
    if key is None:
        raise Refused("no_close_key", "没有日结公钥，不能核对签名", "signed heads need the close key", field="witness")
    closing = next((line.removeprefix("closing ") for line in signed if line.startswith("closing ")), "?")
    if not check_signature(key, "\n".join(signed)):
        return [closing]
    for line in signed:
        if line.startswith("head "):
            _, project, seq, hash_ = line.split(" ")
            heads.append(Head(project=int(project), seq=int(seq), hash=hash_))
            found = _DAY.match(closing)
            if found and found[1] == project:
                closed.append(ClosedDay(int(project), date.fromisoformat(found[2]), int(seq), hash_))
    return []


def _json_line(source: str, number: int, line: str) -> Head | Paper:
    try:
        found = json.loads(line)
        if isinstance(found, dict) and "check" in found:
            return Paper.model_validate(found)
        return Head.model_validate({name: found.get(name) for name in Head.model_fields})
    except (AttributeError, ValueError, ValidationError):
        raise _bad(source, number, "不是链头，也不是收据验真码") from None


def _bad(source: str, number: int, what: str) -> Refused:
    return Refused("bad_witness", f"{source} 第 {number} 行：{what}", f"{source}, line {number}: no witness", field="witness")


def contradiction(witnessed: Head, now: str | None) -> str | None:
    """What is wrong with an entry of which a witness knows the hash; `now` is the hash it has, None when it is gone."""
    if witnessed.seq == 0 or witnessed.hash == now:
        return None
    if now is None:
        return f"entry {witnessed.seq} was witnessed and is gone"
    return f"entry {witnessed.seq} is another one than was witnessed"
