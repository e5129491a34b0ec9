"""Access as other slices use it: who sends a request and where they may act, the audit log, everything in scope for jobs."""

from __future__ import annotations

from cloud.access.audit import audit, verify_audit
from cloud.access.domain import Principal
from cloud.access.sessions import Require, log_in, page_user, principal_of, require
from cloud.access.users import create_admin, everything

__all__ = [
    "Principal",
    "Require",
    "audit",
    "create_admin",
    "everything",
    "log_in",
    "page_user",
    "principal_of",
    "require",
    "verify_audit",
]
