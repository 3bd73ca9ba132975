"""Schemas at random: tables with rows, and what hangs on them. Every choice comes from one source of randomness."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

#: Rows of each table: enough to be looked at, few enough to be quick.
ROWS = 8

#: Type -> the value of row ``g``. All values differ, none is null, so that keys and checks hold.
TYPES = {
    "int": "g",
    "bigint": "g",
    "smallint": "g",
    "numeric(10,2)": "g",
    "text": "g::text",
    "varchar(20)": "g::text",
    "char(10)": "g::text",
    "timestamp": "timestamp '2020-01-01' + g * interval '1 day'",
    "timestamptz": "timestamptz '2020-01-01 00:00+00' + g * interval '1 day'",
    "date": "date '2020-01-01' + g",
    "boolean": "g % 2 = 0",
    "uuid": "md5(g::text)::uuid",
    "jsonb": "jsonb_build_object('a', g)",
    "positive": "g",
    "name_like": "g::text",
    "mood": "'happy'",
    "int[]": "array[g]",
    "inet": "'10.0.0.1'::inet + g",
    "bit(8)": "g::bit(8)",
}
#: Rows of default partitions, and of tables to be attached, have these in the partition key.
OF_DEFAULT, OF_SPARE = 150, 200
WITHOUT_ORDER = ("jsonb", "boolean", "mood")

PREAMBLE = """\
create type mood as enum ('sad', 'happy');
create domain positive as int check (value > 0);
create domain name_like as varchar(20);
create type pair as (x int, y int);
create sequence counter;
create function fixed(i int) returns int immutable language sql as 'select i + 1';
create function today() returns date stable language sql as 'select current_date';
create function rolled() returns int volatile language sql as 'select (random() * 6)::int';
create function touched() returns trigger language plpgsql as 'begin return new; end';
create role probe_owner;
create schema beside;
create table typed of pair;
insert into typed values (1, 1);
create sequence typed_counter owned by typed.y;
"""


@dataclass
class Column:
    name: str
    type: str
    not_null: bool = False
    default: str = ""
    generated: str = ""
    identity: bool = False


@dataclass
class Table:
    """A table that the setup makes, with what is on it, by name."""

    name: str
    columns: list[Column]
    partition_by: str = ""
    parent: str = ""
    default: bool = False
    spare: str = ""
    persistence: str = ""
    primary_key: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    foreign_keys: dict[str, str] = field(default_factory=dict)
    indexes: list[str] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    def of_types(self, *types: str) -> list[Column]:
        return [column for column in self.columns if column.type in types and not column.generated]


@dataclass
class Schema:
    """Tables and views with the SQL that makes them."""

    major: int
    tables: list[Table] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    matviews: list[str] = field(default_factory=list)
    publications: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    @property
    def setup(self) -> str:
        return PREAMBLE + "".join(f"{statement};\n" for statement in self.statements)


def schema(rng: Random, major: int) -> Schema:
    """A schema that all majors from ``major`` on can make."""
    made = Schema(major)
    for number in range(rng.randint(1, 3)):
        kind = rng.choice(["plain", "plain", "plain", "list", "range", "hash", "inherited"])
        table = _table(rng, made, f"t{number}", own=kind == "plain")
        if kind in ("list", "range", "hash"):
            _partitions(rng, made, table, kind)
        else:
            _create(made, table)
            if kind == "inherited":
                _child(made, table)
        _fill(made, table)
        if table.partition_by and rng.random() < 0.5:
            _spare(rng, made, table)
        _surround(rng, made, table)
    _views(rng, made)
    logged = [table.name for table in made.tables if not table.persistence]
    if logged and rng.random() < 0.2:
        made.publications.append("published")
        made.statements.append(f"create publication published for table {rng.choice(logged)}")
    return made


def _table(rng: Random, made: Schema, name: str, *, own: bool) -> Table:
    """A table; ``own``: it has no children."""
    columns = [Column("id", rng.choice(["int", "int", "bigint"]), not_null=True)]
    for number in range(rng.randint(1, 4)):
        column = Column(f"c{number}", rng.choice(list(TYPES)), not_null=rng.random() < 0.3)
        if rng.random() < 0.2 and column.type in ("int", "bigint", "numeric(10,2)"):
            column.default = rng.choice(["0", "7", "nextval('counter')"])
        columns.append(column)
    if rng.random() < 0.2:
        columns.append(Column("gen", "int", generated="stored"))
    if made.major >= 18 and rng.random() < 0.15:
        columns.append(Column("virt", "int", generated="virtual"))
    if rng.random() < 0.15 and own:
        columns.append(Column("auto", "int", not_null=True, identity=True))
    table = Table(name, columns)
    if rng.random() < 0.15 and own:
        table.persistence = "unlogged "
    if rng.random() < 0.7:
        table.primary_key = f"{name}_pkey"
    return table


def _column_sql(column: Column) -> str:
    parts = [column.name, column.type]
    if column.generated:
        parts.append(f"generated always as (id::int + 1) {column.generated}")
    if column.identity:
        parts.append("generated by default as identity")
    elif column.default:
        parts.append(f"default {column.default}")
    if column.not_null and not column.generated:
        parts.append("not null")
    return " ".join(parts)


def _create(made: Schema, table: Table, suffix: str = "") -> None:
    items = [_column_sql(column) for column in table.columns]
    if table.primary_key:
        items.append(f"constraint {table.primary_key} primary key (id)")
    made.statements.append(f"create {table.persistence}table {table.name} ({', '.join(items)}){suffix}")
    made.tables.append(table)


def _partitions(rng: Random, made: Schema, table: Table, kind: str) -> None:
    table.partition_by = kind
    _create(made, table, f" partition by {kind} (id)")
    bounds = {
        "list": ["in (0,1,2,3)", "in (4,5,6,7,8)"],
        "range": ["from (0) to (4)", "from (4) to (100)"],
        "hash": ["with (modulus 2, remainder 0)", "with (modulus 2, remainder 1)"],
    }[kind]
    for number, bound in enumerate(bounds):
        _partition(made, table, f"{table.name}_{number}", f"for values {bound}")
    if kind != "hash" and rng.random() < 0.4:
        table.default = True
        _partition(made, table, f"{table.name}_d", "default")


def _partition(made: Schema, table: Table, name: str, bound: str) -> None:
    made.statements.append(f"create table {name} partition of {table.name} {bound}")
    part = Table(name, [Column(c.name, c.type, c.not_null, "", c.generated) for c in table.columns], parent=table.name)
    made.tables.append(part)


def _child(made: Schema, table: Table) -> None:
    made.statements.append(f"create table {table.name}_kid (own int) inherits ({table.name})")
    columns = [Column(c.name, c.type, c.not_null, "", c.generated) for c in table.columns]
    made.tables.append(Table(f"{table.name}_kid", [*columns, Column("own", "int")], parent=table.name))


def _fill(made: Schema, table: Table) -> None:
    kids = [each.name for each in made.tables if each.parent == table.name and not table.partition_by]
    listed, values = _values(table)
    source = f"from generate_series(1, {ROWS}) g"
    made.statements.append(f"insert into {table.name} ({listed}) select {values} {source}")
    made.statements.extend(f"insert into {name} ({listed}, own) select {values}, g {source}" for name in kids)
    if table.default:
        _fill_one(made, table, table.name, OF_DEFAULT)


def _values(table: Table) -> tuple[str, str]:
    """The columns that take values, and the values of row ``g``."""
    columns = [column for column in table.columns if not column.generated and not column.identity]
    values = ", ".join(f"({TYPES[column.type]})::{column.type}" for column in columns)
    return ", ".join(column.name for column in columns), values


def _fill_one(made: Schema, table: Table, name: str, key: int) -> None:
    """One more row with another key; otherwise it is like the first."""
    listed, values = _values(table)
    values = values.replace("(g)", f"({key})", 1)
    made.statements.append(f"insert into {name} ({listed}) select {values} from generate_series(1, 1) g")


def _spare(rng: Random, made: Schema, table: Table) -> None:
    """A table that may be attached."""
    table.spare = f"{table.name}_spare"
    how = rng.choice(["", "including defaults including constraints including generated including indexes"])
    made.statements.append(f"create table {table.spare} (like {table.name} {how})")
    if any(column.generated for column in table.columns) and not how:
        return  # its column is an ordinary one, which stays empty
    _fill_one(made, table, table.spare, OF_SPARE)


def _surround(rng: Random, made: Schema, table: Table) -> None:
    """Constraints, indexes, triggers and policies."""
    ordered = [each for each in table.columns if each.type not in WITHOUT_ORDER and not each.generated]
    for number in range(rng.randint(0, 2)):
        _index(rng, made, table, rng.choice(ordered), f"{table.name}_i{number}")
    if rng.random() < 0.4:
        column = rng.choice(table.columns)
        valid = " not valid" if rng.random() < 0.4 and not column.generated else ""
        if column.generated != "virtual":
            table.checks.append(f"{table.name}_check")
            made.statements.append(
                f"alter table {table.name} add constraint {table.name}_check check ({column.name} is not null){valid}"
            )
    if rng.random() < 0.25 and not table.partition_by:
        column = rng.choice(ordered)
        table.keys[f"{table.name}_key"] = column.name
        made.statements.append(f"alter table {table.name} add constraint {table.name}_key unique ({column.name})")
    _foreign_key(rng, made, table)
    if rng.random() < 0.2:
        table.triggers.append(f"{table.name}_touch")
        made.statements.append(
            f"create trigger {table.name}_touch after insert on {table.name} for each row execute function touched()"
        )
    if rng.random() < 0.15:
        table.policies.append(f"{table.name}_policy")
        made.statements.append(f"create policy {table.name}_policy on {table.name} using (id > 0)")


def _index(rng: Random, made: Schema, table: Table, column: Column, name: str) -> None:
    form = rng.choice(["plain", "plain", "unique", "expression", "partial", "desc"])
    what = {
        "expression": f"(coalesce({column.name}::text, ''))" if column.type in ("text", "int") else column.name,
        "desc": f"{column.name} desc nulls last",
    }.get(form, column.name)
    unique = "unique " if form == "unique" and not table.partition_by and column.name != "own" else ""
    where = f" where {column.name} is not null" if form == "partial" else ""
    table.indexes.append(name)
    made.statements.append(f"create {unique}index {name} on {table.name} ({what}){where}")


def _foreign_key(rng: Random, made: Schema, table: Table) -> None:
    targets = [each for each in made.tables if each.primary_key and each.persistence == table.persistence == ""]
    holders = [each for each in table.of_types("int", "bigint") if not each.identity]
    if table.default:
        # Its additional row has a key that others do not have.
        holders = [each for each in holders if each.name != "id"]
    if not targets or not holders or rng.random() < 0.5:
        return
    target, column = rng.choice(targets), rng.choice(holders)
    valid = " not valid" if rng.random() < 0.3 and not table.partition_by and not target.partition_by else ""
    name = f"{table.name}_fk"
    table.foreign_keys[name] = column.name
    made.statements.append(
        f"alter table {table.name} add constraint {name} foreign key ({column.name}) references {target.name}{valid}"
    )


def _views(rng: Random, made: Schema) -> None:
    for number in range(rng.choice([0, 0, 1, 2])):
        table = rng.choice(made.tables)
        columns = ", ".join(column.name for column in rng.sample(table.columns, rng.randint(1, len(table.columns))))
        if rng.random() < 0.6:
            made.views.append(f"v{number}")
            made.statements.append(f"create view v{number} as select {columns} from {table.name}")
        else:
            made.matviews.append(f"m{number}")
            listed = columns if "id" in columns.split(", ") else f"id, {columns}"
            made.statements.append(f"create materialized view m{number} as select {listed} from only {table.name}")
            if rng.random() < 0.6:
                made.statements.append(f"create unique index m{number}_id on m{number} (id)")
