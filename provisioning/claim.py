"""The box's side of opening: a key that never leaves, a certificate from the hub for the claim code, the settings file."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from protocols import claim
from protocols.errors import Refused, Retry
from provisioning.ca import key_pem, write_private


def run(hub: str, code: str, folder: Path, timeout_s: float = 20) -> claim.ClaimGrant:
    """Claim and write box.key, box.crt, ca.crt and box.toml into `folder`.

    Refused for a wrong, used or expired code, or when whoever answers does not know it; Retry `hub_away`. Nothing is written
    unless the whole answer is good.
    """
    claim.normalise(code)
    key = ec.generate_private_key(ec.SECP256R1())
    csr = _request(key)
    grant = claim.open_answer(code, _post(hub, claim.request(code, csr), timeout_s))
    _check_certificate(grant, key)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / "box.key", key_pem(key))
    (folder / "box.crt").write_text(grant.certificate)
    (folder / "ca.crt").write_text(grant.ca)
    (folder / "box.toml").write_text(settings(grant, folder))
    return grant


def settings(grant: claim.ClaimGrant, folder: Path) -> str:
    """box.toml for a claimed box. Broker addresses are URLs: mqtts:// with TLS, mqtt:// for a demo on one machine only."""
    files = f'ca = "{folder / "ca.crt"}"\ncert = "{folder / "box.crt"}"\nkey = "{folder / "box.key"}"\n'
    keys = ", ".join(f'"{key}"' for key in grant.document_keys)
    brokers = ", ".join(f'"{address}"' for address in grant.brokers)
    return (
        f'[box]\nid = "{grant.box}"\ndata = "{folder / "data"}"\n\n'
        f"[broker]\naddresses = [{brokers}]\n{files}\n"
        f'[hub]\nurl = "{grant.hub_url}"\ndocument_keys = [{keys}]\n{files}'
    )


def _request(key: ec.EllipticCurvePrivateKey) -> str:
    # The hub decides the box's name; what a request says about itself is ignored.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "unclaimed")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def _post(hub: str, body: bytes, timeout_s: float) -> bytes:
    if urlsplit(hub).scheme != "https":
        raise Refused("bad_hub_address", "总部地址要以 https:// 开头", "the hub's address must be https", field="hub")
    # The CA is not known yet. The code's proofs protect this exchange, not the certificate (protocols/claim.py).
    context = ssl._create_unverified_context()
    request = urllib.request.Request(f"{hub.rstrip('/')}/box/claim", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s, context=context) as answer:
            content: bytes = answer.read(1_000_000)
            return content
    except urllib.error.HTTPError as problem:
        text = f"the hub refused: {problem.code} {problem.read(2_000).decode(errors='replace')}"
        raise Refused("claim_refused", "总部没有同意：开通码不对、用过了或过期了", text) from None
    except (urllib.error.URLError, TimeoutError) as problem:
        raise Retry("hub_away", "连不上总部，检查网线和地址后再试", f"cannot reach the hub: {problem}") from None


def _check_certificate(grant: claim.ClaimGrant, key: ec.EllipticCurvePrivateKey) -> None:
    certificate = x509.load_pem_x509_certificate(grant.certificate.encode())
    authority = x509.load_pem_x509_certificate(grant.ca.encode())
    certificate.verify_directly_issued_by(authority)
    if certificate.public_key() != key.public_key():
        raise Refused("bad_claim_answer", "证书不是发给这台盒子的，开通停止", "the certificate is for another key")
