"""Settings of the hub, from the environment (GATEHOUSE_*)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from protocols.errors import Refused

Listed = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """data          folder of the embedded database and of pictures
    keys          folder of the hub's keys and its private CA, as `gatehouse-provision ca` makes it
    listen        host:port of the console; port 0 takes a free one
    box_listen    host:port of the TLS listener for site boxes
    box_url       what boxes are told to use for it; by default https://<box listen>
    broker        mqtt://host:port or mqtts://host:port, several with commas; none: nothing is ingested
    box_brokers   what boxes are told; by default `broker`
    dsn           the PostgreSQL to use, as the role gatehouse_app; none: a server of our own in `data`
    admin_dsn     the same database as an administrator, who makes roles and migrates
    pay_sim_key   hex Ed25519 public key of the simulated payment provider; none: its notices are forged
    public_url    where owners' phones reach the hub (the QR on a receipt leads there); none: http://<listen>
    second_factor  HQ finance, approvers and technicians must set up a second factor (TOTP) before they may do anything
    demo          say on every page that nothing here is real
    messages      where messages to owners go: 'console', or a file that gets a JSON line each; none: they wait
    """

    model_config = SettingsConfigDict(env_prefix="GATEHOUSE_", extra="ignore", frozen=True)

    data: Path = Path("var/hub")
    keys: Path = Path("var/keys")
    listen: str = "127.0.0.1:8000"
    box_listen: str = "127.0.0.1:8443"
    box_url: str | None = None
    broker: Listed = ()
    box_brokers: Listed = ()
    dsn: str | None = None
    admin_dsn: str | None = None
    pay_sim_key: str | None = None
    public_url: str | None = None
    second_factor: bool = False
    demo: bool = False
    messages: str | None = None

    @field_validator("broker", "box_brokers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("listen", "box_listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError("must be host:port")
        return value

    @field_validator("pay_sim_key")
    @classmethod
    def _key(cls, value: str | None) -> str | None:
        if value and (len(value) != 64 or not all(one in "0123456789abcdef" for one in value)):
            raise ValueError("must be 64 hexadecimal digits")
        return value or None

    @field_validator("dsn", "admin_dsn", "box_url", "public_url", "messages")
    @classmethod
    def _or_none(cls, value: str | None) -> str | None:
        return value or None

    @property
    def told_url(self) -> str:
        """The public address without a slash at its end."""
        return (self.public_url or f"http://{self.listen}").rstrip("/")

    @property
    def told_brokers(self) -> tuple[str, ...]:
        return self.box_brokers or self.broker


def load() -> Settings:
    """From the environment. Refused `bad_setting` names the variable."""
    try:
        return Settings()
    except ValidationError as problem:
        first = problem.errors()[0]
        name = "GATEHOUSE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise Refused("bad_setting", f"设置 {name} 不对：{first['msg']}", f"{name}: {first['msg']}", field=name) from None


def address(text: str) -> tuple[str, int]:
    """'127.0.0.1:8000' -> ('127.0.0.1', 8000)."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
