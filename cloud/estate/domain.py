"""Projects, rooms and how people look for them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

KINDS = ("residential", "office", "apartment", "mall", "market")


@dataclass(frozen=True, slots=True)
class Project:
    """A project with the legal entity that collects (P-03)."""

    id: int
    code: str
    name: str
    company_id: int
    company_name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Room:
    """A room; `area` in square metres, `payer_id` who pays today what has no payer of its own (O-01).

    `charge_from`: no charge for days before it; `closed_on`: the first day it no longer is (P-07).
    """

    id: int
    code: str
    area: Decimal | None
    payer_id: int | None
    use: str = "residence"
    charge_from: date | None = None
    closed_on: date | None = None


@dataclass(frozen=True, slots=True)
class NewRoom:
    """A room as an import names it; without an owner it stands empty. `pinyin`: initials of the owner's name."""

    code: str
    building: str
    area: Decimal | None
    owner: str | None
    pinyin: str
    phone: str


@dataclass(frozen=True, slots=True)
class Found:
    """A room that a search found, with as much of its payer as a list may show (O-05)."""

    id: int
    project_id: int
    code: str
    building: str | None
    area: Decimal | None
    payer_id: int | None
    owner: str | None
    phone_tail: str
    plates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What was typed, as each field is compared with it; None: not by this field (O-08)."""

    digits: str | None = None
    name: str | None = None
    pinyin: str | None = None
    phone: str | None = None
    plate: str | None = None
    number: str | None = None


def read_query(text: str) -> Query:
    """Room digits or a name anywhere, pinyin initials from the start, the end of a phone (3 digits or more), part of a plate, the
    beginning of an owner's number."""
    text = unicodedata.normalize("NFKC", text).strip()[:40]
    letters = re.sub(r"[^0-9A-Za-z]", "", text)
    digits = letters if letters and any(one.isdigit() for one in letters) else None
    han = bool(re.search(r"[\u3400-\u9fff]", text))
    plain = re.sub(r"[·•.\s-]", "", text).upper()
    return Query(
        digits=digits if not han else None,
        name=text if text and (han or not digits) else None,
        pinyin=letters.lower() if letters.isalpha() else None,
        phone=letters if letters.isdigit() and len(letters) >= 3 else None,
        plate=plain if len(plain) >= 2 and (han or not letters.isdigit() or len(letters) >= 3) else None,
        number=text if digits and not han and len(text) >= 3 else None,
    )
