"""MQTT topics. A box's certificate name is its box id, so that a broker's ACL can hold every box to its own subtree."""

from __future__ import annotations

import re

from protocols.errors import Refused

ROOT = "gh/1"
MONEY = "money"
SERIES = "series"
STREAMS = (MONEY, SERIES)
HUB_SUBSCRIPTION = f"$share/hub/{ROOT}/+/up/#"

_BOX = re.compile(r"[a-z0-9][a-z0-9-]{2,39}")


def check_box(box: str) -> str:
    """A box id: 3 to 40 of a-z, 0-9 and '-'. It is a certificate name and a topic level, so nothing else may pass."""
    if not _BOX.fullmatch(box):
        raise Refused("bad_box_id", "盒子编号只能用小写字母、数字和短横线，3 到 40 位", "bad box id", field="box")
    return box


def batch(box: str, stream: str) -> str:
    """Box -> hub: `envelope.Batch`."""
    return f"{ROOT}/{box}/up/{stream}"


def session(box: str) -> str:
    """Box -> hub, every 5 s while connected: `commands.SessionBeat` with a fresh nonce."""
    return f"{ROOT}/{box}/up/session"


def ack(box: str, stream: str) -> str:
    """Hub -> box: `acks.Ack`."""
    return f"{ROOT}/{box}/down/ack/{stream}"


def manifest(box: str) -> str:
    """Hub -> box, retained: `documents.Manifest`, signed."""
    return f"{ROOT}/{box}/down/manifest"


def command(box: str) -> str:
    """Hub -> box, never retained: `commands.Command`, signed."""
    return f"{ROOT}/{box}/down/command"


def box_subscription(box: str) -> str:
    """Everything the hub tells this box."""
    return f"{ROOT}/{box}/down/#"


def parse_up(topic: str) -> tuple[str, str]:
    """'gh/1/<box>/up/<what>' -> (box, what). Refused `bad_topic` for any other."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or parts[3] != "up" or not _BOX.fullmatch(parts[2]):
        raise Refused("bad_topic", "主题不对", f"not an upward topic: {topic[:80]}")
    return parts[2], parts[4]
