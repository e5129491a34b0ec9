"""Who somebody is, what they may do and where; passwords; the hashed text of the audit log."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cloud.shared.db import Scope
from protocols.errors import Refused

GENESIS = "0" * 64
_DIGEST = re.compile(r'"[0-9a-f]{64}"')
_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dXx])")
_PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
SHORTEST_PASSWORD = 10
# fmt: off
_COMMON = frozenset((
    "1234567890", "0123456789", "12345678910", "123456789a", "a123456789", "1234567891", "0987654321", "9876543210",
    "1q2w3e4r5t", "1qaz2wsx3edc", "qwertyuiop", "qwerty12345", "qwerty123456", "qwertyuiop123", "asdfghjkl1", "zxcvbnm123",
    "password12", "password123", "password1234", "password01", "passw0rd123", "administrator", "admin12345", "admin123456",
    "adminadmin", "iloveyou12", "woaini1314", "woaini520", "woaini1314520", "5201314520", "1314520520", "abc1234567",
    "abcd123456", "abcdefghij", "aa12345678", "aaaaaa1111", "qq123456789", "wang123456", "zhang123456", "li12345678",
    "welcome123", "changeme123", "letmein123", "superman123", "1111111111", "8888888888", "6666666666", "1122334455",
    "1212121212", "gatehouse1", "gatehouse123",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody logged in, as one permission lets them act: `scope` is where they hold it (Y-01).

    permissions  everything they may do somewhere (for menus); csrf: what a writing request of this session must carry
    factor       whether they log in with a second factor (Y-10)
    """

    user_id: int | None
    number: str
    name: str
    roles: tuple[str, ...]
    scope: Scope
    permissions: frozenset[str]
    csrf: str = field(default="", repr=False)
    address: str = ""
    factor: bool = False


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new session: the token goes into the cookie and nowhere else."""

    token: str = field(repr=False)
    csrf: str = field(repr=False)
    user_id: int = 0
    name: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to be added with a first role; neither company nor project: the whole group."""

    number: str
    name: str
    password: str = field(repr=False)
    role: str = ""
    company: str | None = None
    project: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A row of the audit log as read back for verification; `personal`: (field, salt, value) not erased."""

    id: int
    chain: str
    seq: int
    at: datetime
    user_id: int | None
    number: str
    action: str
    object: str
    place: str
    before: str
    after: str
    reason: str
    prev: str
    hash: str
    personal: Sequence[tuple[str, bytes, str]] = ()


@dataclass(frozen=True, slots=True)
class AuditFault:
    """The first broken entry of an audit chain: missing, hash, link, personal, head."""

    chain: str
    seq: int
    what: str
    detail: str


def check_password(password: str, number: str) -> None:
    """Refused `weak_password` for what Y-10 forbids."""
    plain = password.lower()
    if len(password) < SHORTEST_PASSWORD or len(password) > 200:
        raise Refused("weak_password", f"密码至少 {SHORTEST_PASSWORD} 位", "the password is too short", field="password")
    if plain in _COMMON or len(set(plain)) < 4 or (len(number) >= 4 and plain.replace(number.lower(), "") == ""):
        raise Refused("weak_password", "这个密码太常见，请换一个", "the password is too common", field="password")


def facts_text(facts: Mapping[str, object] | None, digests: Mapping[str, str]) -> str:
    """What stands in the log: compact JSON, personal values only as digests; '-' for nothing."""
    if facts is None:
        return "-"
    told = dict(facts) | ({"personal": dict(digests)} if digests else {})
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)


def one_line(text: str) -> str:
    """Control characters may not enter the hashed text, where a line break separates facts."""
    return "".join(one if one.isprintable() else " " for one in text)


def personal_digest(salt: bytes, value: str) -> str:
    """SHA-256(salt || value) in hex (Y-13)."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


def masked(text: str) -> str:
    """A text of the log without what names a person: digests, telephone and identity numbers (U-02 reads, O-05 masks)."""
    plain = _DIGEST.sub('"（已隐去）"', text)
    plain = _IDENTITY.sub(lambda found: f"{found[0][:4]}**********{found[0][-4:]}", plain)
    return _PHONE.sub(lambda found: f"{found[0][:3]}****{found[0][-4:]}", plain)


def audit_hash(entry: AuditEntry) -> str:
    """The hash of an entry; the database computes the same in `audit_append` (migration 0011)."""
    at = entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    user = "-" if entry.user_id is None else str(entry.user_id)
    text = (
        f"gatehouse audit 1\nchain {entry.chain}\nseq {entry.seq}\nat {at}\nuser {user} {entry.number}\naction {entry.action}\n"
        f"object {entry.object}\nplace {entry.place}\nbefore {entry.before}\nafter {entry.after}\nreason {entry.reason}\n"
        f"prev {entry.prev}"
    )
    return hashlib.sha256(text.encode()).hexdigest()


def audit_fault(entry: AuditEntry, seq: int, prev: str) -> AuditFault | None:
    """What is wrong with an entry that should be number `seq` after `prev`; None when it is right."""
    if entry.seq != seq:
        return AuditFault(entry.chain, min(seq, entry.seq), "missing", f"expected entry {seq}, found {entry.seq}")
    if entry.prev != prev:
        return AuditFault(entry.chain, seq, "link", "it does not follow the entry before it")
    if audit_hash(entry) != entry.hash:
        return AuditFault(entry.chain, seq, "hash", "it is not what was hashed")
    for name, salt, value in entry.personal:
        if personal_digest(salt, value) not in entry.after and personal_digest(salt, value) not in entry.before:
            return AuditFault(entry.chain, seq, "personal", f"{name} is not what was hashed")
    return None
