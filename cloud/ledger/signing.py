"""The close key (keys/close.key): it signs chain heads at the daily close, and no database can read it (DESIGN 3, 5)."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from protocols.errors import Stop


def close_key(folder: Path) -> Ed25519PrivateKey:
    """From the folder of the hub's keys. Stop `no_keys` when it is missing or not an Ed25519 key."""
    path = folder / "close.key"
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise Stop("no_keys", "缺少密钥文件 close.key，先运行 gatehouse-provision ca", f"{path} is missing") from None
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Stop("no_keys", "close.key 不是 Ed25519 密钥", f"{path} is not an Ed25519 key")
    return key
