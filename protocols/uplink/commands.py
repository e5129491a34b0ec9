"""Commands: signed, never retained, at most once, bound to a fresh nonce of the box instead of anybody's wall clock (B-07)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import Refused
from protocols.uplink import signing
from protocols.uplink.envelope import SCHEMA, compact

NONCE_EVERY_MS = 5_000
DIES_AFTER_MS = 15_000
REMEMBERED = 1_000

CommandName = Literal["open", "lock", "valve", "display", "resend", "restart"]


class SessionBeat(BaseModel):
    """Box -> hub every 5 s: a fresh nonce, the boot it belongs to, and the box's health in short."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: int = SCHEMA
    box: str
    boot: str
    nonce: str = Field(pattern=r"^[0-9a-f]{32}$")
    at: str
    clock: str
    health: dict[str, Any] = {}


class Command(BaseModel):
    """Hub -> box. `nonce` is the latest the hub has heard; `args` by name, e.g. for `open` lane, stay, reason, reference, by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: int = SCHEMA
    box: str
    id: str = Field(min_length=8, max_length=64)
    name: CommandName
    nonce: str
    args: dict[str, Any] = {}


def encode_beat(beat: SessionBeat) -> bytes:
    return compact(beat.model_dump(mode="json"))


def decode_beat(payload: bytes) -> SessionBeat:
    """Refused `bad_session`."""
    try:
        return SessionBeat.model_validate_json(payload)
    except ValidationError:
        raise Refused("bad_session", "会话格式不对", "not a session beat") from None


def sign_command(command: Command, key: Ed25519PrivateKey) -> bytes:
    return signing.sign(signing.COMMAND, compact(command.model_dump(mode="json")), key)


class CommandGate:
    """Decides on the box which command may run; feed it every nonce sent and every command received, with monotonic ms.

    It forgets with the boot on purpose: a nonce of an earlier boot is unknown, so a command sent before a restart never runs.
    """

    def __init__(self, box: str, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._box = box
        self._keys = keys
        self._nonces: OrderedDict[str, int] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def sent(self, nonce: str, mono_ms: int) -> None:
        """The box has published this nonce."""
        self._nonces[nonce] = mono_ms
        while len(self._nonces) > REMEMBERED:
            self._nonces.popitem(last=False)

    def admit(self, message: bytes, mono_ms: int) -> Command:
        """The command, to be run now.

        Refused `bad_signature`, `bad_command`, `wrong_box`, `replayed`, `expired` (its nonce is unknown or older than 15 s); the
        last three carry the facts `command` (its id) and `name`.
        """
        payload = signing.verify(signing.COMMAND, message, self._keys)
        try:
            command = Command.model_validate_json(payload)
        except ValidationError:
            raise Refused("bad_command", "命令格式不对", "not a command") from None
        if command.box != self._box:
            raise Refused("wrong_box", "命令是发给别的盒子的", f"command is for {command.box}", **_facts(command))
        if command.id in self._seen:
            raise Refused("replayed", "这条命令已经执行过", "command was already run", **_facts(command))
        born = self._nonces.get(command.nonce)
        if born is None or mono_ms - born > DIES_AFTER_MS:
            raise Refused("expired", "命令已过期，没有执行", "command is older than its nonce allows", **_facts(command))
        self._seen[command.id] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return command


def _facts(command: Command) -> dict[str, str]:
    return {"command": command.id, "name": command.name}
