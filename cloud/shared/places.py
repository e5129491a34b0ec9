"""Where a page looks: the group, a company or a project, chosen by `?at=` in the address (P-09, UI.md 3).

where = await scope_of(request, user, tx)      # NotFound for what the person may not see
rows = await store.owners(tx, where.ids, ...)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request

from cloud.shared import store
from cloud.shared.db import Scope, Tx
from cloud.shared.pages import Viewer
from protocols.errors import NotFound


class Scoped(Viewer, Protocol):
    """A viewer with the scope in which they may look."""

    @property
    def scope(self) -> Scope: ...


@dataclass(frozen=True, slots=True)
class Project:
    id: int
    name: str
    kind: str
    company_id: int
    company: str

    @property
    def at(self) -> str:
        return f"p{self.id}"


@dataclass(frozen=True, slots=True)
class Company:
    id: int
    name: str
    projects: tuple[Project, ...]

    @property
    def at(self) -> str:
        return f"c{self.id}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page looks: everything somebody may see (`companies`), and what of it is chosen by `?at=` (`shown`)."""

    at: str
    name: str
    companies: tuple[Company, ...]
    shown: tuple[Company, ...]

    @property
    def projects(self) -> list[Project]:
        return [project for company in self.shown for project in company.projects]

    @property
    def ids(self) -> list[int]:
        return [project.id for project in self.projects]

    @property
    def only(self) -> Project | None:
        """The one project that is shown; None when there are several: pages for one project ask for a choice then."""
        found = self.projects
        return found[0] if len(found) == 1 else None

    def name_of(self, project_id: int) -> str:
        return next((project.name for project in self.projects if project.id == project_id), "")


def place(projects: Iterable[Project], at: str | None, group: str = "") -> Place:
    """`at`: 'c2' a company, 'p17' a project, empty everything. NotFound `place_not_found` for what is not among the projects."""
    grouped: dict[int, list[Project]] = {}
    for project in projects:
        grouped.setdefault(project.company_id, []).append(project)
    companies = tuple(Company(key, found[0].company, tuple(found)) for key, found in sorted(grouped.items()))
    if not at:
        return Place("", _name_of_all(companies, group), companies, companies)
    for company in companies:
        if company.at == at:
            return Place(at, company.name, companies, (company,))
        for project in company.projects:
            if project.at == at:
                return Place(at, project.name, companies, (Company(company.id, company.name, (project,)),))
    raise NotFound("place_not_found", "没有这个项目", f"no place {at}", field="at")


def _name_of_all(companies: tuple[Company, ...], group: str) -> str:
    if len(companies) == 1 and len(companies[0].projects) == 1:
        return companies[0].projects[0].name
    return f"{group} · 全部项目" if group else "全部项目"


async def look(tx: Tx, at: str | None) -> Place:
    """The place of `at` among the projects that the transaction may see."""
    rows = await store.places(tx)
    group = rows[0]["group_name"] if rows else ""
    return place([Project(row["id"], row["name"], row["kind"], row["company_id"], row["company"]) for row in rows], at, group)


async def scope_of(request: Request, user: Scoped, tx: Tx | None = None) -> Place:
    """The place a request asks for by `?at=`, in the transaction at hand or in one of its own."""
    at = request.query_params.get("at")
    if tx is not None:
        return await look(tx, at)
    async with request.app.state.hub.db.tx(user.scope) as own:
        return await look(own, at)
