"""The hub's keys as files: the CA that names boxes, the key that signs documents and commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocols.errors import Refused, Stop

BOX_DAYS = 400
"""Until then the box must be claimed anew (B-02); it does not renew by itself yet."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A box's certificate: PEM, its serial number in hex, and until when it is good."""

    pem: str
    serial: str
    until: datetime


def document_key(folder: Path) -> Ed25519PrivateKey:
    """The key for manifests and commands. Stop `no_keys`."""
    key = load_pem_private_key(_read(folder / "document.key"), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise Stop("no_keys", "document.key 不是 Ed25519 密钥", "document.key is not an Ed25519 key")
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public half as boxes are told it: raw, hex."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def authority_pem(folder: Path) -> str:
    return _read(folder / "ca.crt").decode()


def issue(folder: Path, box: str, request: str, now: datetime) -> Issued:
    """A certificate with the box's id as its name, whatever the request calls itself.

    Refused `bad_csr`: no request, not signed by its own key, or not an EC P-256 key. Stop `no_keys`.
    """
    public = _asked(request)
    authority = x509.load_pem_x509_certificate(_read(folder / "ca.crt"))
    signer = load_pem_private_key(_read(folder / "ca.key"), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise Stop("no_keys", "ca.key 不是 EC 密钥", "ca.key is not an EC key")
    until = now + timedelta(days=BOX_DAYS)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, box)]))
        .issuer_name(authority.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return Issued(certificate.public_bytes(Encoding.PEM).decode(), f"{certificate.serial_number:x}", until)


def _asked(request: str) -> ec.EllipticCurvePublicKey:
    refused = Refused("bad_csr", "证书请求不对", "the request must be signed by its own EC P-256 key", field="csr")
    try:
        asked = x509.load_pem_x509_csr(request.encode())
        public = asked.public_key()
    except (ValueError, InvalidSignature):
        raise refused from None
    if not asked.is_signature_valid or not isinstance(public, ec.EllipticCurvePublicKey):
        raise refused
    if not isinstance(public.curve, ec.SECP256R1):
        raise refused
    return public


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Stop("no_keys", f"缺少密钥文件 {path.name}，先运行 gatehouse-provision ca", f"{path.name} is missing") from None
