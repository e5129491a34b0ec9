"""SQL of the database layer itself; that of slices stands in their own stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloud.shared.db import Tx

BEGIN = (
    "BEGIN; SELECT set_config('app.companies', '{companies}', true), set_config('app.projects', '{projects}', true),"
    " set_config('app.group', '{group}', true)"
)
COMMITTED = """
    UPDATE idempotency_keys SET committed = true
    WHERE user_id = %s AND key = %s AND route = %s AND attempt = %s AND NOT committed
      AND pg_current_xact_id_if_assigned() IS NOT NULL
"""
"""In the transaction that does the work, as its last statement; one that only read marks nothing."""
TELL_AND_COMMIT = "SELECT {}; COMMIT"
TELL_ALL = "SELECT {}"
TELL = "pg_notify({}, {})"
DO_NOT_FLUSH = "SET synchronous_commit = off"
LISTEN = "LISTEN {}"
DATABASE = "SELECT 1 FROM pg_database WHERE datname = %s"
CREATE_DATABASE = "CREATE DATABASE {}"
ROLE = """
    SELECT current_user::text AS name, r.rolsuper, r.rolbypassrls,
           coalesce((SELECT pg_has_role(current_user, o.oid, 'MEMBER') FROM pg_roles o
                     WHERE o.rolname = 'gatehouse_owner'), false) AS owner
    FROM pg_roles r WHERE r.rolname = current_user
"""


def begin(companies: Iterable[int], projects: Iterable[int] | None, group: bool) -> str:
    """A transaction with its scope, in one round trip; integers only, so nothing needs quoting."""
    # '' means all projects, so a scope without any names one that does not exist.
    chosen = "" if projects is None else _listed(projects) or "0"
    return BEGIN.format(companies=_listed(companies), projects=chosen, group="on" if group else "")


def _listed(ids: Iterable[int]) -> str:
    return ",".join(str(int(one)) for one in sorted(ids))


async def places(tx: Tx) -> list[dict[str, Any]]:
    """Every project in scope by company and code; `group_name` only for those who see the whole group. The switcher of every page
    asks for it, so it is one statement and no slice's service.
    """
    return await tx.fetch_all(
        """
        SELECT p.id, p.name, p.kind, p.company_id, c.name AS company,
               CASE WHEN current_setting('app.group', true) = 'on' THEN coalesce((SELECT name FROM group_info), '') ELSE '' END
                   AS group_name
        FROM projects p JOIN companies c ON c.id = p.company_id ORDER BY c.id, p.code
        """
    )
