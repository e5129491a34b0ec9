"""Invented people, plates and phones (UI.md section 17): nobody of these exists."""

from __future__ import annotations

import random

SURNAMES = ("贾", "甄", "莫", "吴", "梅", "时", "艾", "言", "单", "佟")
INITIALS = {"贾": "j", "甄": "z", "莫": "m", "吴": "w", "梅": "m", "时": "s", "艾": "a", "言": "y", "单": "s", "佟": "t"}
GIVEN = {
    "晓满": "xm",
    "知秋": "zq",
    "有财": "yc",
    "如意": "ry",
    "平安": "pa",
    "立文": "lw",
    "开颜": "ky",
    "长乐": "cl",
    "常青": "cq",
    "思远": "sy",
    "望舒": "ws",
    "嘉禾": "jh",
    "来喜": "lx",
    "得闲": "dx",
    "守正": "sz",
}
PROVINCES = "京沪苏浙冀"
LETTERS = "ABCDEFGH"
SERIALS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def person(rng: random.Random) -> tuple[str, str]:
    """A name and its pinyin initials."""
    surname, given = rng.choice(SURNAMES), rng.choice(list(GIVEN))
    return surname + given, INITIALS[surname] + GIVEN[given]


def phone(rng: random.Random) -> str:
    """A number in the shape of a mobile phone; 100 is no prefix of any operator."""
    return f"13{rng.randrange(10)}0000{rng.randrange(10_000):04d}"


class Plates:
    """Plates that never come twice: blue ones, and green ones for electric cars."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._given: set[str] = set()

    def next(self) -> tuple[str, str]:
        """(plate, colour)."""
        while True:
            head = self._rng.choice(PROVINCES) + self._rng.choice(LETTERS)
            green = self._rng.random() < 0.25
            digits = f"{self._rng.randrange(100_000):05d}"
            letter = self._rng.choice(SERIALS)
            plate = head + ("D" if green else "") + (digits if green or self._rng.random() < 0.5 else letter + digits[1:])
            if plate not in self._given:
                self._given.add(plate)
                return plate, "green" if green else "blue"
