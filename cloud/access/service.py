"""Access as other slices use it: who sends a request and where they may act, approvals, the audit log, the scope of jobs."""

from __future__ import annotations

from cloud.access.approvals import Handler, ask, decide, expire_all, get, listed, withdraw
from cloud.access.audit import audit, verify_audit
from cloud.access.domain import Principal
from cloud.access.domain_approvals import Approval
from cloud.access.first_run import offered as first_run_code
from cloud.access.housekeeping import keep_house
from cloud.access.inbox import waiting_for
from cloud.access.sessions import Require, log_in, page_user, principal_of, require
from cloud.access.settings import setting
from cloud.access.users import create_admin, everything
from cloud.access.users import verify_everything as verify_all

__all__ = [
    "Approval",
    "Handler",
    "Principal",
    "Require",
    "ask",
    "audit",
    "create_admin",
    "decide",
    "everything",
    "expire_all",
    "first_run_code",
    "get",
    "keep_house",
    "listed",
    "log_in",
    "page_user",
    "principal_of",
    "require",
    "setting",
    "verify_all",
    "verify_audit",
    "waiting_for",
    "withdraw",
]
