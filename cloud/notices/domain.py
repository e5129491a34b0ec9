"""What a text message costs (X-02). Pure; amounts in fen."""

from __future__ import annotations

from protocols.errors import Refused
from protocols.money import Fen

ALONE = 70
"""Characters of a message that goes out as one unit."""
JOINED = 67
"""Characters a unit when several are joined: three go for the header."""


def sms_units(characters: int) -> int:
    """70 characters are one unit; beyond, 67 a unit. Refused `empty_message` without a character."""
    if characters < 1:
        raise Refused("empty_message", "短信没有内容", "a message has at least one character", field="characters")
    return 1 if characters <= ALONE else -(-characters // JOINED)


def sms_cost(characters: int, recipients: int, unit_fen: Fen) -> Fen:
    """Units x price x recipients. Refused NEGATIVE_QUANTITY."""
    if recipients < 0 or unit_fen < 0:
        raise Refused("NEGATIVE_QUANTITY", "人数和单价不能是负数", "recipients or price is negative", field="recipients")
    return sms_units(characters) * unit_fen * recipients
