"""box.toml, as opening a box writes it: who the box is, its brokers, its hub, where it listens on the site network."""

from __future__ import annotations

import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from protocols.errors import Refused
from protocols.uplink.signing import key_id
from protocols.uplink.topics import check_box

LOOPBACK = "127.0.0.1:0"
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BoxSection(_Section):
    id: str
    data: Path

    @field_validator("id")
    @classmethod
    def _known_form(cls, value: str) -> str:
        try:
            return check_box(value)
        except Refused as problem:
            raise ValueError(problem.zh) from None


class _Files(_Section):
    """The box's certificate and key, and the hub's CA."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class BrokerSection(_Files):
    addresses: tuple[str, ...] = Field(min_length=1)


class HubSection(_Files):
    url: str
    document_keys: tuple[str, ...]


class ListenSection(_Section):
    listen: str = LOOPBACK


class Settings(_Section):
    """Everything in the file."""

    box: BoxSection
    broker: BrokerSection
    hub: HubSection
    panel: ListenSection = ListenSection()
    camera: ListenSection = ListenSection()

    def keys(self) -> Mapping[str, Ed25519PublicKey]:
        """Who may sign documents and commands, by key id. Refused `bad_settings`."""
        try:
            known = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(text)) for text in self.hub.document_keys]
        except ValueError:
            raise _bad("document_keys: 64 hex digits each") from None
        return {key_id(key): key for key in known}


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's address; `tls` by its scheme."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def load(path: Path) -> Settings:
    """Refused `bad_settings`: not there, not TOML, or a value missing or wrong."""
    try:
        found = tomllib.loads(path.read_text())
        settings = Settings.model_validate(found)
    except (OSError, tomllib.TOMLDecodeError) as problem:
        raise _bad(f"{path}: {problem}") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        raise _bad(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    brokers(settings.broker.addresses)
    return settings


def brokers(addresses: tuple[str, ...]) -> tuple[Broker, ...]:
    """'mqtts://host:8883' -> Broker. mqtt:// has no TLS and is for a demo on one machine only. Refused `bad_settings`."""
    found = []
    for address in addresses:
        parts = urlsplit(address if "://" in address else f"mqtt://{address}")
        if parts.scheme not in _PORTS or not parts.hostname:
            raise _bad(f"broker address {address}: mqtts://host:port")
        found.append(Broker(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "mqtts"))
    return tuple(found)


def listen(text: str) -> tuple[str, int]:
    """'0.0.0.0:8080' -> host and port. Refused `bad_settings`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise _bad(f"listen address {text}: host:port")
    return host.strip("[]"), int(port)


def tls(files: BrokerSection | HubSection) -> ssl.SSLContext:
    """TLS 1.2 or newer, the hub's CA and no other, the box's own certificate. Refused `bad_settings`."""
    if files.ca is None or files.cert is None or files.key is None:
        raise _bad("ca, cert and key are needed for TLS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(files.ca)
        context.load_cert_chain(files.cert, files.key)
    except (OSError, ssl.SSLError) as problem:
        raise _bad(f"certificate files: {problem}") from None
    return context


def _bad(detail: str) -> Refused:
    return Refused("bad_settings", f"box.toml 有误：{detail}", detail)
