"""Owners, comments, privileges, members of extensions and dependencies."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from immutables import Map

from dflint.catalog.reader import identities as of
from dflint.catalog.reader.constraints import ConstraintRows
from dflint.catalog.reader.identities import Identities
from dflint.catalog.reader.managed import read_managed
from dflint.catalog.reader.names import FIRST_USER_OID, PG_CLASS, PG_NAMESPACE, PG_TYPE, Names
from dflint.catalog.reader.pieces import fetch_by_oids, fetch_by_range, within
from dflint.catalog.reader.session import SQL, ReaderSession, Row
from dflint.catalog.reader.triggers import AttachedRows
from dflint.model.catalog import Dependency, Details

_COMMENTS: Final = SQL(
    """
    SELECT classoid, objoid, objsubid, description FROM pg_catalog.pg_description
    WHERE {within}
    """
)
_LABELS: Final = SQL(
    """
    SELECT classoid, objoid, objsubid, provider || ': ' || label FROM pg_catalog.pg_seclabel
    WHERE objoid >= %s::pg_catalog.oid ORDER BY 4
    """
)
_SCHEMAS: Final = SQL(
    """
    SELECT n.oid, n.nspowner,
           nullif(n.nspacl, coalesce(i.initprivs, pg_catalog.acldefault('n', n.nspowner)))::pg_catalog.text[]
    FROM pg_catalog.pg_namespace n
    LEFT JOIN pg_catalog.pg_init_privs i
      ON i.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND i.objoid = n.oid
    """
)
#: Parts of relations that other rows name by OID.
_DEFAULTS: Final = SQL(
    """
    SELECT 2604::pg_catalog.oid, d.oid, d.adrelid, a.attname FROM pg_catalog.pg_attrdef d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.oid = ANY (%s::pg_catalog.oid[])
    """
)
_RULES: Final = SQL(
    """
    SELECT 2618::pg_catalog.oid, oid, ev_class, rulename FROM pg_catalog.pg_rewrite
    WHERE oid = ANY (%s::pg_catalog.oid[])
    """
)
#: What containment says is left out: what a table's own parts (indexes, constraints, defaults, triggers) need of it,
#: row types and array types, schemas, and the server's own triggers of foreign keys. The index that helps begins with
#: the dependent's catalog.
_DEPENDENCIES: Final = SQL(
    """
    SELECT classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype FROM pg_catalog.pg_depend
    WHERE classid = ANY (ARRAY(SELECT oid FROM pg_catalog.pg_class WHERE oid < 16384 AND relkind = 'r'))
      AND {within}
      AND deptype <> 'e' AND refclassid <> {schemas}
      AND NOT (classid = {classes} AND refclassid IN ({classes}, {constraints}))
      AND NOT (classid = {triggers} AND refclassid IN ({classes}, {constraints}))
      AND NOT (classid = {policies} AND refclassid = {classes} AND deptype = 'a')
      AND NOT (classid = {types} AND refclassid = {classes} AND deptype = 'i')
      AND NOT (classid = {constraints} AND refclassid = {classes} AND deptype = 'a')
      AND NOT (classid = {defaults} AND refclassid = {classes} AND deptype IN ('a', 'i'))
    """
)
_CATALOGS: Final = {
    "schemas": SQL("2615"),
    "classes": SQL("1259"),
    "constraints": SQL("2606"),
    "triggers": SQL("2620"),
    "policies": SQL("3256"),
    "types": SQL("1247"),
    "defaults": SQL("2604"),
}
_ELEMENTS: Final = SQL("SELECT oid, typelem, typrelid FROM pg_catalog.pg_type WHERE oid = ANY (%s::pg_catalog.oid[])")


class DetailRows(NamedTuple):
    """What the server says of them."""

    comments: list[Row]
    labels: list[Row]
    schemas: list[Row]
    parts: list[Row]
    dependencies: list[Row]
    elements: dict[int, tuple[int, int]]
    managed: dict[int, str]


async def read_details(session: ReaderSession, places: list[int]) -> DetailRows:
    """The rows of all user objects."""
    of_objects = _COMMENTS.format(within=within("objoid", places))
    needs = _DEPENDENCIES.format(within=within("objid", places), **_CATALOGS)
    comments, labels, schemas, dependencies, managed = await session.together(
        fetch_by_range(session, "comments", of_objects, places),
        session.fetch_or_note("security labels", _LABELS, (str(FIRST_USER_OID),)),
        session.fetch_or_note("owners of schemas", _SCHEMAS),
        fetch_by_range(session, "dependencies", needs, places),
        read_managed(session),
    )
    defaults = sorted({row[1] for row in dependencies if row[0] == of.PG_ATTRDEF})
    rules = sorted({row[1] for row in dependencies if row[0] == of.PG_REWRITE})
    wanted = sorted({row[4] for row in dependencies if row[3] == PG_TYPE})
    of_defaults, of_rules, elements = await session.together(
        fetch_by_oids(session, "defaults", _DEFAULTS, defaults),
        fetch_by_oids(session, "rules", _RULES, rules),
        fetch_by_oids(session, "array types", _ELEMENTS, wanted),
    )
    return DetailRows(
        comments,
        labels,
        schemas,
        of_defaults + of_rules,
        dependencies,
        {oid: (element, relation) for oid, element, relation in elements},
        managed,
    )


class DetailBuilder:
    """Collects details; whoever reads objects of some kind tells it their owners and privileges."""

    def __init__(self, names: Names, identities: Identities) -> None:
        self.names = names
        self.identities = identities
        self._owners: dict[str, str] = {}
        self._privileges: dict[str, tuple[str, ...]] = {}
        self._fast_defaults: dict[str, bool] = {}
        # Parts of relations, whose need of their own relation containment says.
        self._part_of: dict[tuple[int, int], int] = {}

    def owned(self, identity: str | None, owner: int, privileges: list[str] | None = None) -> None:
        """Note owner (0 for none) and privileges of an object."""
        if identity is None:
            return
        if owner:
            self._owners[identity] = self.names.role(owner)
        if privileges:
            self._privileges[identity] = tuple(sorted(privileges))

    def fast_default(self, column: str | None) -> None:
        """Note a column whose value in old rows is kept in the catalog."""
        if column is not None:
            self._fast_defaults[column] = True

    def add_parts(self, rows: DetailRows, constraints: ConstraintRows, attached: AttachedRows) -> None:
        """Note what parts of relations are called."""
        identities = self.identities
        for catalog, oid, relation, name in rows.parts:
            self._part_of[catalog, oid] = relation
            if catalog == of.PG_ATTRDEF:
                identities.add_part(catalog, oid, "default", relation, name)
            elif name == "_RETURN":
                # A view needs what the rule that makes it a view needs.
                view = identities.get(PG_CLASS, relation)
                if view is not None:
                    identities.note(catalog, oid, view)
            else:
                identities.add_part(catalog, oid, "rule", relation, name)
        for row in constraints.others:
            kind = "fk" if row[3] == "f" else "constraint"
            identities.add_part(of.PG_CONSTRAINT, row[0], kind, row[1], row[2])
            if kind == "constraint":
                self._part_of[of.PG_CONSTRAINT, row[0]] = row[1]
        for row in attached.triggers:
            identities.add_part(of.PG_TRIGGER, row[0], "trigger", row[1], row[2])
        for row in attached.policies:
            identities.add_part(of.PG_POLICY, row[0], "policy", row[1], row[2])
            self._part_of[of.PG_POLICY, row[0]] = row[1]

    def build(self, rows: DetailRows) -> Details:
        """The details."""
        for oid, owner, privileges in rows.schemas:
            name = self.names.schemas.get(oid, "pg_")
            if not name.startswith("pg_") and name != "information_schema":
                self.owned(self.identities.get(PG_NAMESPACE, oid), owner, privileges)
        members: dict[str, str] = {}
        for (catalog, oid), extension in self.names.members.items():
            identity = self.identities.get(catalog, oid)
            if identity is not None:
                members[identity] = extension
        managed = {
            identity: extension
            for oid, extension in rows.managed.items()
            if (identity := self.identities.get(PG_CLASS, oid)) is not None
        }
        return Details(
            owners=Map(self._owners),
            comments=Map(self._comments(rows)),
            security_labels=Map(self._labels(rows)),
            privileges=Map(self._privileges),
            extension_members=Map(members),
            managed=Map(managed),
            fast_defaults=Map(self._fast_defaults),
            dependencies=Map(self._dependencies(rows)),
        )

    def _comments(self, rows: DetailRows) -> dict[str, str]:
        found: dict[str, str] = {}
        for catalog, oid, number, text in rows.comments:
            identity = self.identities.get(catalog, oid, number)
            if identity is not None and (catalog, oid) not in self.names.members:
                found[identity] = text
        return found

    def _labels(self, rows: DetailRows) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for catalog, oid, number, text in rows.labels:
            identity = self.identities.get(catalog, oid, number)
            if identity is not None:
                found[identity] = (*found.get(identity, ()), text)
        return found

    def _dependencies(self, rows: DetailRows) -> dict[str, tuple[Dependency, ...]]:
        get, elements, part_of = self.identities.get, rows.elements, self._part_of
        listed: dict[str, set[Dependency]] = {}
        for catalog, oid, number, other_catalog, other_oid, other_number, kind in rows.dependencies:
            dependent = get(catalog, oid, number)
            own = other_catalog == PG_CLASS and part_of.get((catalog, oid)) == other_oid
            # What the columns are that a rule or policy uses, subqueries included, nothing else says.
            if dependent is None or (own and not (catalog in (of.PG_REWRITE, of.PG_POLICY) and other_number)):
                continue
            referenced = get(other_catalog, other_oid, other_number)
            if referenced is None and other_catalog == PG_TYPE:
                referenced = self._of_type(other_oid, elements)
            if referenced is not None and referenced != dependent:
                listed.setdefault(dependent, set()).add(Dependency(dependent, referenced, kind))
        return {dependent: tuple(sorted(found)) for dependent, found in listed.items()}

    def _of_type(self, oid: int, elements: dict[int, tuple[int, int]]) -> str | None:
        """What an array type or a row type stands for."""
        element, relation = elements.get(oid, (0, 0))
        found: Any = self.identities.get(PG_CLASS, relation) if relation else None
        return found or (self.identities.get(PG_TYPE, element) if element else None)
