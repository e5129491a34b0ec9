"""What a person sets for their own log-in: the PIN that unlocks an idle counter, and the second factor (Y-10, Y-11)."""

from __future__ import annotations

from datetime import datetime

from cloud.access import sessions, totp
from cloud.access import store_security as store
from cloud.access.audit import audit
from cloud.access.domain import Principal
from cloud.shared.db import Database, Tx
from protocols.errors import Conflict, NotAllowed, Refused


def check_pin(pin: str) -> None:
    """Refused `weak_pin`: 4 to 8 digits, not all alike, no run."""
    if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 8):
        raise Refused("weak_pin", "解锁码是 4 到 8 位数字", "a PIN has 4 to 8 digits", field="pin")
    steps = {int(later) - int(earlier) for earlier, later in zip(pin, pin[1:], strict=False)}
    if steps in ({0}, {1}, {-1}):
        raise Refused("weak_pin", "解锁码太好猜，不要用连号或同一个数字", "the PIN is too easy", field="pin")


async def set_pin(tx: Tx, principal: Principal, hashed: str, at: datetime) -> None:
    """`hashed`: of a checked PIN."""
    assert principal.user_id is not None
    await store.set_pin(tx, principal.user_id, hashed)
    await audit(tx, principal, "user.pin", f"user:{principal.user_id}", None, {}, "", at=at)


async def start_factor(tx: Tx, principal: Principal) -> tuple[str, str]:
    """A new secret and the address its QR code holds; it counts once a code of it was typed. Conflict `factor_on`."""
    assert principal.user_id is not None
    if principal.factor:
        raise Conflict("factor_on", "动态验证码已经启用，要换手机请先停用", "the second factor is on already")
    secret = totp.new_secret()
    await store.set_factor(tx, principal.user_id, secret, None)
    return secret, totp.address(secret, principal.number)


async def confirm_factor(db: Database, principal: Principal, code: str, now: datetime) -> None:
    """Switch it on with a first code. Refused `wrong_code`, `no_factor`."""
    assert principal.user_id is not None
    known = await store.factor(db, principal.user_id)
    if known.secret is None or known.since is not None:
        raise Refused("no_factor", "请先扫二维码，再输入验证码", "no secret is being set up")
    await sessions.use_code(db, principal.user_id, known, code, now)
    async with db.tx(principal.scope) as tx:
        await store.set_factor(tx, principal.user_id, known.secret, now)
        await audit(tx, principal, "user.factor_on", f"user:{principal.user_id}", None, {}, "", at=now)


async def stop_factor(db: Database, principal: Principal, code: str, now: datetime, *, needed: bool) -> None:
    """Switch it off with a code. NotAllowed `factor_needed` for roles that must have it."""
    assert principal.user_id is not None
    if needed and sessions.needs_factor(principal.roles):
        raise NotAllowed("factor_needed", "您的角色必须用动态验证码，不能停用", "these roles need the second factor")
    known = await store.factor(db, principal.user_id)
    if known.secret is None:
        raise Refused("no_factor", "没有启用动态验证码", "there is no second factor")
    if known.since is not None:
        await sessions.use_code(db, principal.user_id, known, code, now)
    async with db.tx(principal.scope) as tx:
        await store.set_factor(tx, principal.user_id, None, None)
        await audit(tx, principal, "user.factor_off", f"user:{principal.user_id}", {}, None, "", at=now)
