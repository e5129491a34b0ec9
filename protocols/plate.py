"""Chinese vehicle plates (GA 36-2018 and neighbours): one spelling, kinds, colours, how alike two readings are (K-33, K-34).

On the wire a plate is plain text without dot or blanks, '京A12345'; screens show '京A·12345'. `?` stands for an unread character.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from protocols.errors import Refused

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"


class Colour(StrEnum):
    BLUE = "blue"
    YELLOW = "yellow"
    GREEN = "green"
    YELLOW_GREEN = "yellow_green"
    WHITE = "white"
    BLACK = "black"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What a plate's spelling says of it; blue and yellow plates are spelled alike."""

    CIVIL = "civil"
    NEW_ENERGY = "new_energy"
    NEW_ENERGY_LARGE = "new_energy_large"
    LEARNER = "learner"
    TRAILER = "trailer"
    POLICE = "police"
    CONSULATE = "consulate"
    EMBASSY = "embassy"
    HONGKONG = "hongkong"
    MACAU = "macau"
    MILITARY = "military"
    ARMED_POLICE = "armed_police"
    EMERGENCY = "emergency"
    AVIATION = "aviation"


_P = f"[{PROVINCES}?]"
_C = "[A-HJ-NP-Z?]"
_S = "[A-HJ-NP-Z0-9?]"
_D = "[0-9?]"

_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(form))
    for kind, form in (
        (Kind.EMERGENCY, f"{_P}[XS?]{_D}{{4}}应急"),
        (Kind.LEARNER, f"{_P}{_C}{_S}{{4}}学"),
        (Kind.TRAILER, f"{_P}{_C}{_S}{{4}}挂"),
        (Kind.POLICE, f"{_P}[A-Z?]{_S}{{4}}警"),
        (Kind.CONSULATE, f"{_P}{_C}{_S}{{4}}领"),
        (Kind.HONGKONG, f"粤Z{_S}{{4}}港"),
        (Kind.MACAU, f"粤Z{_S}{{4}}澳"),
        (Kind.EMBASSY, f"使{_D}{{6}}"),
        (Kind.AVIATION, f"民航{_S}{{5}}"),
        (Kind.ARMED_POLICE, f"WJ{_P}?{_D}{{4}}[0-9TDSHBXJ?]"),
        (Kind.CIVIL, f"{_P}{_C}{_S}{{5}}"),
        (Kind.NEW_ENERGY, f"{_P}{_C}[A-HJK?]{_S}{_D}{{4}}"),
        (Kind.NEW_ENERGY_LARGE, f"{_P}{_C}{_D}{{5}}[A-HJK?]"),
        (Kind.MILITARY, f"[A-Z]{{2}}{_D}{{5}}"),
    )
)

_COLOURS = {
    Kind.CIVIL: Colour.BLUE,
    Kind.NEW_ENERGY: Colour.GREEN,
    Kind.NEW_ENERGY_LARGE: Colour.YELLOW_GREEN,
    Kind.LEARNER: Colour.YELLOW,
    Kind.TRAILER: Colour.YELLOW,
    Kind.AVIATION: Colour.GREEN,
    Kind.CONSULATE: Colour.BLACK,
    Kind.EMBASSY: Colour.BLACK,
    Kind.HONGKONG: Colour.BLACK,
    Kind.MACAU: Colour.BLACK,
}

SPECIAL = frozenset({Kind.POLICE, Kind.MILITARY, Kind.ARMED_POLICE, Kind.EMERGENCY})
"""Free by rule (K-03)."""

_CONFUSED = ("0DQO", "8B", "2Z", "5S", "17TL", "6G", "4A", "UV", "MNH", "KX", "CG", "EF", "PF", "京津冀", "鲁鄂", "苏赣")
_ALIKE = frozenset(frozenset((a, b)) for group in _CONFUSED for a in group for b in group if a != b)


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate in its one spelling."""

    text: str
    kind: Kind

    @property
    def colour(self) -> Colour:
        """The usual colour of the kind; a camera may know better (a yellow plate is spelled like a blue one)."""
        return _COLOURS.get(self.kind, Colour.WHITE)

    @property
    def complete(self) -> bool:
        return "?" not in self.text

    @property
    def shown(self) -> str:
        return shown(self.text)


def normalise(text: str) -> str:
    """What people and cameras write -> the one spelling: no dot, no blanks, capitals, and never I or O after the second place."""
    plain = "".join(char for char in unicodedata.normalize("NFKC", text).upper() if char not in " \t·•.-_")
    return plain[:2] + plain[2:].replace("O", "0").replace("I", "1")


def parse(text: str, *, field: str = "plate") -> Plate:
    """Text -> Plate. Refused `bad_plate` when no known form fits."""
    plain = normalise(text)
    for kind, form in _FORMS:
        if form.fullmatch(plain):
            return Plate(plain, kind)
    raise Refused("bad_plate", "车牌写得不对，例如 京A12345", "not a known form of plate", field=field)


def shown(text: str) -> str:
    """'京A12345' -> '京A·12345'. A text of no known form is shown as it is."""
    return f"{text[:2]}·{text[2:]}" if len(text) >= 7 and text[0] in PROVINCES + "?" else text


def distance(one: str, other: str) -> int | None:
    """How far two readings are apart: 0 the same, 1 for a confused or unread character, 2 for any other; None: other length."""
    if len(one) != len(other):
        return None
    return sum(_char_distance(a, b) for a, b in zip(one, other, strict=True))


def _char_distance(a: str, b: str) -> int:
    if a == b:
        return 0
    return 1 if "?" in (a, b) or frozenset((a, b)) in _ALIKE else 2


def differing(one: str, other: str) -> int | None:
    """In how many characters two readings differ; None: other length."""
    if len(one) != len(other):
        return None
    return sum(a != b for a, b in zip(one, other, strict=True))
