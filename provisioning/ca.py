"""The hub's private certificate authority: EC P-256, one CA, certificates for the hub's listeners, the broker and each box."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocols.errors import Refused

CA_YEARS = 20
SERVER_DAYS = 730
CA_NAME = "Gatehouse private CA"


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA held in memory."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def write_private(path: Path, content: bytes) -> None:
    """A file that only its owner reads, there whole or not at all."""
    fresh = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def key_pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def create(folder: Path, hosts: Sequence[str], now: datetime) -> None:
    """Make everything a hub needs into an empty folder.

    ca.crt ca.key · hub.crt hub.key (box listener and MQTT client, CN hub) · broker.crt broker.key · document.key close.key
    (Ed25519).
    `hosts`: names and addresses under which boxes reach hub and broker. Refused `ca_exists` rather than overwrite a CA.
    """
    if (folder / "ca.key").exists():
        raise Refused("ca_exists", "这个文件夹里已经有 CA，不会覆盖", f"{folder} already holds a CA")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _self_signed(now)
    for name in ("hub", "broker"):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _issue_server(authority, name, key.public_key(), hosts, now)
        write_private(folder / f"{name}.key", key_pem(key))
        (folder / f"{name}.crt").write_bytes(certificate_pem(certificate))
    for name in ("document", "close"):
        write_private(folder / f"{name}.key", key_pem(Ed25519PrivateKey.generate()))
    (folder / "ca.crt").write_bytes(certificate_pem(authority.certificate))
    write_private(folder / "ca.key", key_pem(authority.key))


def _self_signed(now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CA_NAME)])
    builder = _builder(name, name, key.public_key(), now, timedelta(days=365 * CA_YEARS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def _issue_server(
    authority: Authority, common_name: str, public: ec.EllipticCurvePublicKey, hosts: Sequence[str], now: datetime
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = _builder(name, authority.certificate.subject, public, now, timedelta(days=SERVER_DAYS))
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lasts)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
