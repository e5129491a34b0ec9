"""Access as other slices use it: who sends a request and where they may act, the audit log, everything in scope for jobs."""

from __future__ import annotations

from cloud.access.audit import audit, verify_audit
from cloud.access.domain import AuditFault, LoggedIn, NewUser, Principal
from cloud.access.sessions import (
    COOKIE,
    CSRF_HEADER,
    Require,
    client_address,
    drop_cookie,
    log_in,
    log_out,
    page_user,
    principal_of,
    require,
    set_cookie,
)
from cloud.access.users import SYSTEM, create_admin, everything

__all__ = [
    "COOKIE",
    "CSRF_HEADER",
    "SYSTEM",
    "AuditFault",
    "LoggedIn",
    "NewUser",
    "Principal",
    "Require",
    "audit",
    "client_address",
    "create_admin",
    "drop_cookie",
    "everything",
    "log_in",
    "log_out",
    "page_user",
    "principal_of",
    "require",
    "set_cookie",
    "verify_audit",
]
