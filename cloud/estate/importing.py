"""Rooms with their owners from a spreadsheet: read, look, put right, put in (O-20, P-06, UI.md 17)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from cloud.estate import owners, store, store_import, store_payers, store_tree, tree
from cloud.estate.domain_import import ALIASES, LABELS, Problem, Row, guess, is_sample, letters, read_row, twice
from cloud.estate.domain_owners import OwnerValues
from cloud.estate.identity import IdentityKeys
from cloud.estate.import_plan import Known, Person, Plan, changed, make_plan
from cloud.estate.spreadsheet import plain_heading, read_sheet
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused

MOST_PROBLEMS = 500
_CHUNK = 1000
"""Rows that go in between two words of progress."""

Told = Callable[[int, int], Awaitable[None]]
"""How much of the work is done, of how much."""

_KNOWN = frozenset(name for names in ALIASES.values() for name in names)


@dataclass(frozen=True, slots=True)
class Run:
    """A file that was read: state 'read' (looked at), 'done' (put in), 'dropped' (given up). `columns`: column -> field."""

    id: int
    project_id: int
    file_name: str
    headings: tuple[str, ...]
    columns: Mapping[int, str]
    state: str
    result: Mapping[str, int] | None
    by: str
    at: datetime
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A dry run: what the file would do, what is wrong with it, how the first rows look."""

    run: Run
    rows: int
    counts: Mapping[str, int]
    problems: tuple[Problem, ...]
    missing: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]


async def read_file(tx: Tx, keys: IdentityKeys, project_id: int, file_name: str, data: bytes, *, by: str, at: datetime) -> Run:
    """Read a file and guess its columns. NotFound `project_not_found`; Refused by `spreadsheet.read_sheet`, `empty_file`."""
    project = await store.project(tx, project_id)
    if project is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    sheet = await asyncio.to_thread(read_sheet, data, _KNOWN)
    if not sheet.rows:
        raise Refused("empty_file", "表头下面没有内容", "there are no rows", field="file")
    headings = [one[:40] for one in sheet.headings]
    columns = guess(headings, {one: plain_heading(one) for one in headings})
    held = {"rows": sheet.rows, "merged": {str(row): text for row, text in sheet.merged.items()}}
    run = {
        "file_name": "".join(one for one in file_name if one.isprintable())[-120:] or "未命名.xlsx",
        "sha256": hashlib.sha256(data).digest(),
        "headings": headings,
        "columns": {str(column): key for column, key in columns.items()},
        "sheet": _seal(keys, project_id, held),
        "by": by,
        "at": at,
    }
    return await get_run(tx, await store_import.add_run(tx, (project.company_id, project_id), run))


async def get_run(tx: Tx, run_id: int) -> Run:
    """NotFound `import_not_found` outside the scope."""
    row = await store_import.run(tx, run_id)
    if row is None:
        raise NotFound("import_not_found", "没有这次导入", f"no import {run_id}", field="import")
    return _run(row)


async def runs(tx: Tx, project_ids: Sequence[int], limit: int = 20) -> list[Run]:
    """The latest first."""
    return [_run(row) for row in await store_import.runs(tx, project_ids, limit)]


async def look(tx: Tx, keys: IdentityKeys, run_id: int, today: date) -> Look:
    """What putting it in would do, with every problem. Conflict `import_over`."""
    run = await get_run(tx, run_id)
    held = await _held(tx, keys, run)
    plan, rows = await _plan(tx, keys, run, held, today)
    names = {key for key in run.columns.values()}
    missing = () if names & {"code", "number"} else (LABELS["code"],)
    sample = tuple(tuple(cells) for _, cells in held["rows"][:5])
    return Look(run, len(rows), plan.counts, tuple(plan.problems[:MOST_PROBLEMS]), missing, sample)


async def choose_columns(tx: Tx, run_id: int, columns: Mapping[int, str]) -> None:
    """Which column is what. Refused `bad_column`."""
    run = await get_run(tx, run_id)
    fields = [key for key in columns.values() if key]
    for key in fields:
        if key not in ALIASES:
            raise Refused("bad_column", "没有这一种列", f"no field {key}", field="columns")
        if fields.count(key) > 1:
            raise Refused("bad_column", f"“{LABELS[key]}”选了两次", f"{key} twice", field="columns")
    kept = {str(column): key for column, key in columns.items() if key and 0 <= column < len(run.headings)}
    await store_import.set_columns(tx, run_id, kept)


async def fix_cell(tx: Tx, keys: IdentityKeys, run_id: int, row: int, column: int, text: str) -> None:
    """Put one cell right, in what was read. NotFound `cell_not_found`; Conflict `import_over`."""
    run = await get_run(tx, run_id)
    held = await _held(tx, keys, run)
    for number, cells in held["rows"]:
        if number == row and 0 <= column < len(run.headings):
            cells.extend([""] * (column + 1 - len(cells)))
            cells[column] = text.strip()[:500]
            await store_import.set_sheet(tx, run_id, _seal(keys, run.project_id, held))
            return
    raise NotFound("cell_not_found", "没有这一格", f"no row {row}, column {column}", field="cell")


async def size(tx: Tx, keys: IdentityKeys, run_id: int) -> int:
    """Rows of a file that was read; 0 once it is over. Whoever asks holds the run until the transaction ends."""
    run = await get_run(tx, run_id)
    if await store_import.locked_sheet(tx, run_id) is None:
        return 0
    return len((await _held(tx, keys, run))["rows"])


async def drop(tx: Tx, run_id: int, at: datetime) -> None:
    """Give it up: what was read is deleted."""
    run = await get_run(tx, run_id)
    if run.state == "read":
        await store_import.end(tx, run_id, "dropped", None, at)


async def put_in(
    tx: Tx,
    keys: IdentityKeys,
    run_id: int,
    *,
    skip_bad: bool,
    today: date,
    by: str,
    at: datetime,
    told: Told | None = None,
) -> Mapping[str, int]:
    """Put the file in: all of it, or all rows without a problem (`skip_bad`); in one transaction, so never half. A second time
    answers the first result.

    Refused `bad_rows`, `bad_column`; Conflict `import_over`.
    """
    await store_import.lock_project(tx, (await get_run(tx, run_id)).project_id)
    run = await get_run(tx, run_id)
    if run.state == "done" and run.result is not None:
        return run.result
    held = await _held(tx, keys, run)
    plan, _ = await _plan(tx, keys, run, held, today)
    if plan.bad_rows and not skip_bad:
        count = len(plan.bad_rows)
        raise Refused(
            "bad_rows", f"有 {count} 行要改。改好，或选“跳过这 {count} 行”", f"{count} rows are wrong", field="rows", bad=count
        )
    project = await store.project(tx, run.project_id)
    assert project is not None
    work = _Work(
        tx, keys, (project.company_id, project.id), by, at, today, {key: column for column, key in run.columns.items()}, told
    )
    await work.do(plan)
    await store_import.end(tx, run_id, "done", plan.counts, at)
    return plan.counts


@dataclass(slots=True)
class _Steps:
    """Counts what is done, and tells it."""

    told: Told | None
    total: int
    done: int = 0

    async def more(self, n: int) -> None:
        self.done += n
        if self.told is not None:
            await self.told(self.done, self.total)


@dataclass(frozen=True, slots=True)
class _Work:
    """Putting a plan in."""

    tx: Tx
    keys: IdentityKeys
    place: tuple[int, int]
    by: str
    at: datetime
    today: date
    fields: Mapping[str, int]
    told: Told | None

    async def do(self, plan: Plan) -> None:
        known = await _known(self.tx, self.keys, self.place[1])
        payers = await self._owners([*plan.new, *(row for _, row in plan.attach)], known)
        steps = _Steps(self.told, len(plan.new) + len(plan.changes) + len(plan.attach) + len(plan.people))
        made: dict[str, int] = {}
        for start in range(0, len(plan.new), _CHUNK):
            part = plan.new[start : start + _CHUNK]
            made |= await self._rooms(part, payers)
            await steps.more(len(part))
        await self._changes(plan)
        await steps.more(len(plan.changes))
        for room, row in plan.attach:
            owner = payers[row.number]
            await store_payers.add_relation(self.tx, self.place, room.id, owner, "owner", None, (None, None), self.by)
            await store_payers.add_payer(self.tx, self.place, room.id, None, owner, (None, None), self.by, self.at)
        await store_payers.turn_payers(self.tx, self.today, [room.id for room, _ in plan.attach])
        await steps.more(len(plan.attach))
        for person, told in plan.people.values():
            await self._person(person, told)
            await steps.more(1)
        rooms = {row.number: made[row.room.code] for row in plan.new}
        rooms |= {row.number: known.rooms[row.room.code].id for row in plan.plates}
        holders = payers | {row.number: known.rooms[row.room.code].payer_id for row in plan.plates if row.number not in payers}
        cars = [(rooms[row.number], holders.get(row.number), plate) for row in (*plan.new, *plan.plates) for plate in row.plates]
        if cars:
            await store_import.add_plates(self.tx, self.place, [(r, o, p) for r, o, p in cars])

    async def _owners(self, rows: Sequence[Row], known: Known) -> dict[int, int]:
        """Row -> its owner: known already, or made; one for all rows that mean the same person."""
        found: dict[int, int] = {}
        fresh: list[OwnerValues] = []
        index: dict[tuple[str, object], int] = {}
        wanted: dict[int, int] = {}
        for row in rows:
            if row.owner is None:
                continue
            person = known.person(row.owner)
            if person is not None:
                found[row.number] = person.id
                continue
            marks = [(row.owner.name, mark) for mark in known.marks(row.owner)]
            place = next((index[mark] for mark in marks if mark in index), len(fresh))
            if place == len(fresh):
                fresh.append(row.owner)
            else:
                more = [one for one in row.owner.phones if one not in fresh[place].phones]
                fresh[place] = replace(fresh[place], phones=(*fresh[place].phones, *more))
            index |= dict.fromkeys(marks, place)
            wanted[row.number] = place
        facts = {"source": "import", "created_by": self.by, "created_at": self.at, "status": "active", "version": 1}
        columns = [owners.columns_of(self.keys, self.place[1], one) | facts for one in fresh]
        ids = await store_import.add_owners(self.tx, self.place, columns)
        phones = [(ids[n], p.phone, order) for n, one in enumerate(fresh) for order, p in enumerate(one.phones, 1)]
        if phones:
            await store_import.add_phones(self.tx, self.place, phones)
        return found | {number: ids[place] for number, place in wanted.items()}

    async def _rooms(self, rows: Sequence[Row], payers: Mapping[int, int]) -> dict[str, int]:
        """New rooms with buildings and first statuses; code -> id."""
        if not rows:
            return {}
        zones = {row.room.building: row.room.zone for row in rows if row.room.building}
        buildings = await store_tree.put_buildings(self.tx, *self.place, zones) if zones else {}
        columns = []
        for row in rows:
            since = row.since or row.room.move_in_on or row.room.handover_on
            more = {"payer_id": payers.get(row.number), "building_id": buildings.get(row.room.building)}
            columns.append(asdict(row.room) | more | {"status": row.status, "status_since": since})
        ids = await store_tree.add_rooms(self.tx, self.place, columns, self.at)
        told = [
            (*self.place, one, row.status, row.since, "导入") for one, row in zip(ids, rows, strict=True) if row.since is not None
        ]
        if told:
            await store_tree.add_statuses(self.tx, told, self.by, self.at)
        return {row.room.code: one for row, one in zip(rows, ids, strict=True)}

    async def _changes(self, plan: Plan) -> None:
        """Rooms that the file says otherwise of."""
        zones = {row.room.building: row.room.zone for _, row in plan.changes if row.room.building}
        buildings = await store_tree.put_buildings(self.tx, *self.place, zones) if zones else {}
        changes: list[tuple[int, Mapping[str, Any]]] = []
        for room, row in plan.changes:
            values = replace(room.values, **changed(room, row, self.fields))
            columns = asdict(values)
            del columns["building"], columns["zone"], columns["code"]
            changes.append((room.id, columns | {"building_id": buildings.get(values.building) or await self._building(room)}))
        await store_tree.set_rooms(self.tx, changes)
        for room, row in plan.changes:
            if "status" in self.fields and row.status != room.status:
                since = row.since or self.today
                await tree.set_status(
                    self.tx, room.id, row.status, since, today=self.today, reason="导入", by=self.by, at=self.at
                )

    async def _building(self, room: Any) -> int | None:
        if not room.values.building:
            return None
        return (await store_tree.put_buildings(self.tx, *self.place, {room.values.building: ""}))[room.values.building]

    async def _person(self, person: Person, told: OwnerValues) -> None:
        """The same owner with what the file says; what it leaves out stays."""
        now = await owners.owner_record(self.tx, person.id)
        said = {
            name: value
            for name, value in asdict(told).items()
            if value not in ("", None, ()) and name not in ("phones", "number")
        }
        said |= {"kind": now.values.kind, "language": now.values.language}
        phones = (*told.phones, *(one for one in now.values.phones if one.phone not in {p.phone for p in told.phones}))
        values = replace(now.values, **said | {"phones": phones})
        await owners.edit_owner(self.tx, self.keys, now.id, now.version, values, charged=True, by=self.by, at=self.at)


async def _plan(tx: Tx, keys: IdentityKeys, run: Run, held: Mapping[str, Any], today: date) -> tuple[Plan, list[Row]]:
    known = await _known(tx, keys, run.project_id)
    return await asyncio.to_thread(_think, run, held, known, today)


def _think(run: Run, held: Mapping[str, Any], known: Known, today: date) -> tuple[Plan, list[Row]]:
    fields = {key: column for column, key in run.columns.items()}
    code = fields.get("code", 0)
    merged = held["merged"]
    rows = [read_row(number, cells, run.columns, run.headings, merged.get(str(number))) for number, cells in held["rows"]]
    rows = twice([row for row in rows if not is_sample(row)], code, run.headings[code])
    return make_plan(rows, fields, run.headings, known, today), rows


async def _known(tx: Tx, keys: IdentityKeys, project_id: int) -> Known:
    rooms = {one.code: one for one in await store_tree.rooms(tx, project_id, None)}
    people = {}
    for row in await store_import.people(tx, project_id):
        digest = row["identity_digest"]
        people[row["id"]] = Person(row["id"], row["name"], row["number"], frozenset(row["phones"]), digest and bytes(digest), row)
    return Known(rooms, people, await store_import.plates(tx, project_id), keys.compare)


async def _held(tx: Tx, keys: IdentityKeys, run: Run) -> dict[str, Any]:
    sealed = await store_import.locked_sheet(tx, run.id)
    if sealed is None:
        raise Conflict("import_over", "这次导入已经结束了", "the import is over", field="import")
    packed = base64.b85decode(keys.open(sealed, f"import:{run.project_id}"))
    found: dict[str, Any] = json.loads(zlib.decompress(packed))
    return found


def _seal(keys: IdentityKeys, project_id: int, held: Mapping[str, Any]) -> bytes:
    packed = zlib.compress(json.dumps(held, ensure_ascii=False).encode(), 3)
    return keys.seal(base64.b85encode(packed).decode(), f"import:{project_id}")


def _run(row: Mapping[str, Any]) -> Run:
    columns = {int(column): key for column, key in row["columns"].items()}
    kept = ("id", "project_id", "file_name", "state", "result", "by", "at", "job_id")
    return Run(headings=tuple(row["headings"]), columns=columns, **{name: row[name] for name in kept})


def cell_of(run: Run, problem: Problem) -> int | None:
    """The column of a problem's cell; None when it is a range."""
    return next((n for n in range(len(run.headings)) if f"{letters(n)}{problem.row}" == problem.cell), None)
