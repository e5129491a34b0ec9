"""The private CA and what it makes (B-02)."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from protocols.errors import Refused
from protocols.time import SHANGHAI
from provisioning import ca

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=SHANGHAI)


def test_everything_a_hub_needs_is_there_and_private_keys_are_private(tmp_path: Path) -> None:
    ca.create(tmp_path / "keys", ["hub.example", "10.0.0.1"], NOW)
    names = {path.name for path in (tmp_path / "keys").iterdir()}
    assert names == {"ca.crt", "ca.key", "hub.crt", "hub.key", "broker.crt", "broker.key", "document.key", "close.key"}
    for path in (tmp_path / "keys").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_certificates_are_issued_by_the_ca_for_the_names_given(tmp_path: Path) -> None:
    ca.create(tmp_path, ["hub.example", "10.0.0.1"], NOW)
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    for name in ("hub", "broker"):
        certificate = x509.load_pem_x509_certificate((tmp_path / f"{name}.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["hub.example"]
        assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
        assert certificate.not_valid_after_utc - NOW == timedelta(days=ca.SERVER_DAYS)
        key = load_pem_private_key((tmp_path / f"{name}.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.public_key() == certificate.public_key()


def test_a_ca_is_never_overwritten(tmp_path: Path) -> None:
    ca.create(tmp_path, ["a"], NOW)
    before = (tmp_path / "ca.key").read_bytes()
    with pytest.raises(Refused, match="ca_exists"):
        ca.create(tmp_path, ["a"], NOW)
    assert (tmp_path / "ca.key").read_bytes() == before
