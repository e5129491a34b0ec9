"""Walking every route: own and other people's ids found in the database, bodies made from the schema, what moved meanwhile."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import FastAPI

from tests.support.hub import Admin
from tests.support.routes import Route

GAP = re.compile(r"\{([^}:]*)(?::[^}]*)?\}")
PLACES = {1: {"project": 11, "room": 101, "owner": 101}, 2: {"project": 21, "room": 201, "owner": 201}}
CODES = {1: {"company": "hd"}, 2: {"company": "hb"}}
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
TABLES = {
    "close": "day_closes", "count": "cash_counts", "message": "messages", "notice": "dunning_notices",
    "owner": "owners", "batch": "billing_runs",
    "version": "fee_versions", "run": "opening_runs", "line": "charge_lines", "book": "receipt_books", "repricing": "repricing",
}  # fmt: skip
"""Gaps that are called otherwise than their table."""
WORDS = {
    "/settings/limits/": ("waiver",), "/settings/": ("counter.late_first",), "/api/v1/access/settings/": ("counter.late_first",),
    "/reports/": ("summary",), "/api/v1/reports/": ("summary",), "/today/part/": ("flow", "receipts"),
}  # fmt: skip
"""Beginnings of paths whose gap is a word of the product, not an id."""
FIRST_ID = 700_000
"""Ids of what a second company makes begin here, so that they are nobody else's."""


def start_ids_apart(admin: Admin) -> None:
    """From now on every table counts from FIRST_ID."""
    admin.execute(
        f"""
        DO $$ DECLARE s text; BEGIN
            FOR s IN SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE c.relkind = 'S' AND n.nspname = 'public' LOOP
                EXECUTE format('ALTER SEQUENCE %s RESTART WITH {FIRST_ID}', s);
            END LOOP;
        END $$
        """
    )


def tables(admin: Admin) -> list[str]:
    """Every table with rows of companies."""
    rows = admin.fetch(
        """
        SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = 'public' AND c.column_name = 'company_id' AND t.table_type = 'BASE TABLE' ORDER BY 1
        """
    )
    return [str(row[0]) for row in rows]


def state_of(admin: Admin, company: int) -> dict[str, str]:
    """A digest of every table's rows of one company: what differs afterwards was touched."""
    found = {}
    for table in tables(admin):
        rows = admin.fetch(
            f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t WHERE company_id = {company}"
        )
        found[table] = str(rows[0][0])
    return found


class Ids:
    """Ids and names that stand in a company's rows, by table."""

    def __init__(self, found: Mapping[str, Sequence[str]]) -> None:
        self._found = found
        self.all = list(dict.fromkeys(one for ids in found.values() for one in ids))

    def for_gap(self, name: str) -> list[str]:
        """Those of tables that are called like the gap first: 'slip' -> deposit_slips."""
        words = TABLES.get(name, name)
        mine = [one for table, ids in self._found.items() if words in table for one in ids]
        return list(dict.fromkeys([*mine, *self.all]))


def ids_of(admin: Admin, company: int, *, apart: bool) -> Ids:
    """Newest first; `apart`: only those that cannot be another company's."""
    found: dict[str, list[str]] = {}
    for table in tables(admin):
        columns = {
            str(row[0])
            for row in admin.fetch(
                f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
            )
        }
        for column in ("id", "entry_id", "batch", "sha256"):
            if column not in columns:
                continue
            for row in admin.fetch(
                f"SELECT DISTINCT {column}::text, {column} FROM {table} WHERE company_id = {company}"
                f" AND {column} IS NOT NULL ORDER BY 2 DESC LIMIT 3"
            ):
                plain = str(row[0]).removeprefix("\\x")
                if not apart or not plain.isdigit() or int(plain) >= FIRST_ID or table in ("rooms", "owners", "projects"):
                    found.setdefault(table, []).append(plain)
    return Ids(found)


def addresses(route: Route, ids: Ids, company: int, most: int = 80) -> Iterator[str]:
    """The path with ids of a company in its gaps, `most` of them; places and words of the product's own are filled by name."""
    names = GAP.findall(route.path)
    choices = [_choices(route, name, ids, company) for name in names]
    for values in itertools.islice(itertools.product(*choices), most):
        path = route.path
        for value in values:
            path = GAP.sub(value, path, count=1)
        yield path


def words_of(route: Route) -> Sequence[str]:
    """What stands in the gap of a path that names no row of anybody's; nothing where it does."""
    return next((found for start, found in WORDS.items() if route.path.startswith(start)), ())


def _choices(route: Route, name: str, ids: Ids, company: int) -> Sequence[str]:
    name = name.removesuffix("_id")
    words = words_of(route)
    if words:
        return words
    known = PLACES[company]
    return [str(known[name])] if name in known else ids.for_gap(name) or ["1"]


def query_of(company: int) -> dict[str, str]:
    """What reads are usually asked with."""
    place = PLACES[company]
    more = {"at": f"p{place['project']}", "q": str(place["room"]), "gone": str(place["owner"] + 1)}
    return {name: str(value) for name, value in place.items()} | more


class Bodies:
    """JSON bodies that a route's schema accepts, with a company's ids where a field names a place."""

    def __init__(self, app: FastAPI) -> None:
        self._schema = app.openapi()

    def body(self, route: Route, company: int, number: int) -> Any:
        """`number`: the id in fields that name nothing known. None: the route takes no JSON."""
        operation = self._schema.get("paths", {}).get(route.path, {}).get(route.method.lower(), {})
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        return None if schema is None else self._value("", schema, company, number)

    def _value(self, name: str, schema: Mapping[str, Any], company: int, number: int) -> Any:
        if "$ref" in schema:
            parts = schema["$ref"].removeprefix("#/").split("/")
            found: Any = self._schema
            for part in parts:
                found = found[part]
            return self._value(name, found, company, number)
        for kind in ("anyOf", "oneOf", "allOf"):
            if kind in schema:
                return self._value(name, schema[kind][0], company, number)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        kind = schema.get("type")
        if kind == "object":
            fields = {
                key: self._value(key, one, company, number)
                for key, one in schema.get("properties", {}).items()
                if key in schema.get("required", ()) or key in PLACES[company] or key in CODES[company]
            }
            return fields
        if kind == "array":
            return [self._value(name, schema.get("items", {}), company, number)]
        if kind in ("integer", "number"):
            known = PLACES[company].get(name.removesuffix("_id"), number)
            return min(max(known, schema.get("minimum", 0)), schema.get("maximum", 2**31 - 1))
        if kind == "boolean":
            return True
        return self._text(name, schema, company)

    def _text(self, name: str, schema: Mapping[str, Any], company: int) -> str:
        if name in CODES[company]:
            return CODES[company][name]
        given = {"date": "2026-11-24", "date-time": "2026-11-24T12:00:00+08:00"}.get(schema.get("format", ""))
        plain = given or ("2468" if "pin" in name else "walked-1-2-3")
        return plain[: schema.get("maxLength", 200)].ljust(schema.get("minLength", 0), "x")
