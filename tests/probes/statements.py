"""Statements at random over a generated schema. Most of them make sense; the server refuses the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.probes.schemas import TYPES, WITHOUT_ORDER, Column, Schema, Table

#: What a column may be changed to: related types that need no USING, and a few that are refused.
TYPE_CHANGES = {
    "int": ["bigint", "numeric", "text", "positive", "oid", "int", "smallint"],
    "bigint": ["int", "numeric(20)", "text"],
    "smallint": ["int"],
    "numeric(10,2)": ["numeric(12,2)", "numeric", "numeric(12,3)", "int", "text"],
    "text": ["varchar", "varchar(50)", "name_like", 'text collate "C"'],
    "varchar(20)": ["varchar(40)", "text", "varchar", "varchar(10)", "char(30)"],
    "char(10)": ["char(20)", "text", "varchar(20)"],
    "timestamp": ["timestamptz", "date", "timestamp(3)", "timestamp(6)"],
    "timestamptz": ["timestamp", "timestamptz(3)", "date"],
    "date": ["timestamp", "timestamptz", "text"],
    "boolean": ["text", "int"],
    "uuid": ["text"],
    "jsonb": ["json", "text"],
    "positive": ["int", "bigint", "positive"],
    "name_like": ["text", "varchar(30)"],
    "mood": ["text"],
    "int[]": ["bigint[]", "text"],
    "inet": ["cidr", "text"],
    "bit(8)": ["varbit", "bit varying(16)"],
}

NEW_COLUMNS = [
    "int",
    "int default 5",
    "int not null default 5",
    "timestamptz default now()",
    "timestamptz not null default clock_timestamp()",
    "float default random()",
    "int default fixed(1)",
    "int default rolled()",
    "date default today()",
    "bigint default nextval('counter')",
    "serial",
    "int generated always as identity",
    "int generated always as (id::int * 2) stored",
    "positive",
    "positive default 3",
    "name_like",
    "mood default 'sad'",
    "uuid default gen_random_uuid()",
    "text check (length(added) < 100)",
    "int default 1 check (added > 0)",
    "jsonb default '{}'",
    "pair",
    'text collate "C"',
]
NEW_COLUMNS_18 = [
    "int generated always as (id::int * 2) virtual",
    "int generated always as (id::int * 2) virtual not null",
]


def statement(rng: Random, schema: Schema) -> str:
    """One statement."""
    if rng.random() < 0.6:
        table = rng.choice(schema.tables)
        count = rng.choice([1, 1, 1, 2, 3])
        commands = [rng.choice(SUBCOMMANDS)(rng, schema, table) for _ in range(count)]
        only = "only " if rng.random() < 0.08 else ""
        return f"alter table {only}{table.name} {', '.join(command for command in commands)}"
    return rng.choice(STATEMENTS)(rng, schema)


# --- sub-commands of ALTER TABLE -----------------------------------------------------------------------------------------

Subcommand = Callable[[Random, Schema, Table], str]


def _any(rng: Random, table: Table) -> Column:
    return rng.choice(table.columns)


def _name(rng: Random, names: Sequence[str], otherwise: str) -> str:
    return rng.choice(list(names)) if names else otherwise


def _add_column(rng: Random, schema: Schema, table: Table) -> str:
    forms = NEW_COLUMNS + (NEW_COLUMNS_18 if schema.major >= 18 else [])
    missing = "if not exists " if rng.random() < 0.1 else ""
    return f"add column {missing}added{rng.randint(0, 1) if rng.random() < 0.1 else ''} {rng.choice(forms)}"


def _add_column_references(rng: Random, schema: Schema, table: Table) -> str:
    target = rng.choice(schema.tables).name
    return f"add column ref int {rng.choice(['', 'default 1 '])}references {target}"


def _drop_column(rng: Random, schema: Schema, table: Table) -> str:
    return f"drop column {_any(rng, table).name}{rng.choice(['', '', ' cascade'])}"


def _alter_type(rng: Random, schema: Schema, table: Table) -> str:
    column = _any(rng, table)
    target = rng.choice(TYPE_CHANGES.get(column.type, ["text"]))
    using = f" using {column.name}::{target}" if rng.random() < 0.15 and "collate" not in target else ""
    return f"alter column {column.name} type {target}{using}"


def _set_not_null(rng: Random, schema: Schema, table: Table) -> str:
    return f"alter column {_any(rng, table).name} set not null"


def _drop_not_null(rng: Random, schema: Schema, table: Table) -> str:
    return f"alter column {_any(rng, table).name} drop not null"


def _default(rng: Random, schema: Schema, table: Table) -> str:
    column = _any(rng, table)
    return f"alter column {column.name} {rng.choice(['drop default', 'set default null'])}"


def _statistics(rng: Random, schema: Schema, table: Table) -> str:
    return f"alter column {_any(rng, table).name} set statistics {rng.choice([0, 100])}"


def _storage(rng: Random, schema: Schema, table: Table) -> str:
    columns = table.of_types("text", "varchar(20)", "jsonb") or table.columns
    return f"alter column {rng.choice(columns).name} set storage {rng.choice(['plain', 'external'])}"


def _options(rng: Random, schema: Schema, table: Table) -> str:
    return f"alter column {_any(rng, table).name} set (n_distinct = 5)"


def _identity(rng: Random, schema: Schema, table: Table) -> str:
    columns = table.of_types("int", "bigint")
    owned = [column for column in columns if column.identity]
    if owned and rng.random() < 0.7:
        return f"alter column {owned[0].name} {rng.choice(['drop identity', 'set generated always', 'restart'])}"
    return f"alter column {rng.choice(columns).name} add generated by default as identity"


def _add_check(rng: Random, schema: Schema, table: Table) -> str:
    column = _any(rng, table)
    return f"add constraint new_check check ({column.name} is not null){rng.choice(['', ' not valid'])}"


def _add_unique(rng: Random, schema: Schema, table: Table) -> str:
    columns = [column for column in table.columns if column.type not in WITHOUT_ORDER] or table.columns
    name = rng.choice(columns).name
    more = ", id" if name != "id" and rng.random() < 0.5 else ""
    return rng.choice([f"add unique ({name}{more})", f"add constraint new_key unique ({name}{more})"])


def _add_primary_key(rng: Random, schema: Schema, table: Table) -> str:
    return f"add primary key ({rng.choice(['id', 'id', _any(rng, table).name])})"


def _add_foreign_key(rng: Random, schema: Schema, table: Table) -> str:
    column = rng.choice([each for each in table.of_types("int", "bigint") if not each.identity] or table.columns)
    target = rng.choice([each for each in schema.tables if each.primary_key] or schema.tables)
    return (
        f"add constraint new_fk foreign key ({column.name}) references {target.name} (id)"
        f"{rng.choice(['', '', ' on delete cascade', ' deferrable'])}{rng.choice(['', '', ' not valid'])}"
    )


def _validate(rng: Random, schema: Schema, table: Table) -> str:
    return f"validate constraint {_name(rng, [*table.checks, *table.foreign_keys], 'none')}"


def _drop_constraint(rng: Random, schema: Schema, table: Table) -> str:
    names = [*table.checks, *table.foreign_keys, *table.keys, *([table.primary_key] if table.primary_key else [])]
    return f"drop constraint {rng.choice(['', 'if exists '])}{_name(rng, names, 'none')}{rng.choice(['', ' cascade'])}"


def _alter_constraint(rng: Random, schema: Schema, table: Table) -> str:
    return f"alter constraint {_name(rng, list(table.foreign_keys), 'none')} deferrable"


def _set_logged(rng: Random, schema: Schema, table: Table) -> str:
    return rng.choice(["set logged", "set unlogged"])


def _trigger_state(rng: Random, schema: Schema, table: Table) -> str:
    return f"{rng.choice(['enable', 'disable'])} trigger {_name(rng, table.triggers, 'all')}"


def _fixed(*forms: str) -> Subcommand:
    return lambda rng, schema, table: rng.choice(forms)


def _cluster_on(rng: Random, schema: Schema, table: Table) -> str:
    return f"cluster on {_name(rng, [*table.indexes, *([table.primary_key] if table.primary_key else [])], 'none')}"


def _replica_identity(rng: Random, schema: Schema, table: Table) -> str:
    forms = ["full", "nothing", "default"] + ([f"using index {table.primary_key}"] if table.primary_key else [])
    return f"replica identity {rng.choice(forms)}"


def _inherit(rng: Random, schema: Schema, table: Table) -> str:
    if table.parent and rng.random() < 0.8:
        return f"no inherit {table.parent}"
    return f"inherit {rng.choice(schema.tables).name}"


def _expression(rng: Random, schema: Schema, table: Table) -> str:
    made = [column for column in table.columns if column.generated] or table.columns
    form = "set expression as (id::int + 2)" if schema.major >= 17 and rng.random() < 0.6 else "drop expression"
    return f"alter column {rng.choice(made).name} {form}"


SUBCOMMANDS: Sequence[Subcommand] = [
    *[_add_column] * 5,
    _add_column_references,
    *[_drop_column] * 2,
    *[_alter_type] * 6,
    *[_set_not_null] * 2,
    _drop_not_null,
    _default,
    _statistics,
    _storage,
    _options,
    _identity,
    *[_add_check] * 2,
    *[_add_unique] * 2,
    _add_primary_key,
    *[_add_foreign_key] * 2,
    _validate,
    *[_drop_constraint] * 2,
    _alter_constraint,
    _set_logged,
    _trigger_state,
    _cluster_on,
    _replica_identity,
    _inherit,
    _expression,
    _fixed("enable row level security", "disable row level security", "force row level security"),
    _fixed("set (fillfactor = 70)", "set (autovacuum_enabled = false)", "reset (fillfactor)"),
    _fixed("set tablespace probe_space", "set without cluster", "owner to probe_owner"),
]

# --- whole statements ----------------------------------------------------------------------------------------------------

Maker = Callable[[Random, Schema], str]


def _rename(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    forms = [
        f"alter table {table.name} rename to renamed",
        f"alter table {table.name} rename column {_any(rng, table).name} to renamed",
        f"alter table {table.name} set schema pg_catalog"
        if rng.random() < 0.05
        else f"alter table {table.name} rename column id to renamed",
    ]
    if table.checks:
        forms.append(f"alter table {table.name} rename constraint {table.checks[0]} to renamed")
    if table.indexes:
        forms.append(f"alter index {table.indexes[0]} rename to renamed")
    return rng.choice(forms)


def _partitioning(rng: Random, schema: Schema) -> str:
    parts = [table for table in schema.tables if table.parent and not table.name.endswith("_kid")]
    if not parts:
        return _create_table(rng, schema)
    part = rng.choice(parts)
    name = f"{part.parent}_new"
    return rng.choice(
        [
            f"alter table {part.parent} detach partition {part.name}",
            f"drop table {part.name}",
            f"truncate {part.name}",
            f"create table {name} partition of {part.parent} for values in (200)",
            f"create table {name} partition of {part.parent} for values from (200) to (300)",
            f"create table {name} partition of {part.parent} default",
        ]
    )


def _create_index(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    column = _any(rng, table)
    unique = rng.choice(["", "", "unique "])
    how = rng.choice(["", "", "", "concurrently "])
    what = rng.choice([column.name, column.name, f"{column.name}, id", f"({column.name}::text)"])
    where = rng.choice(["", "", f" where {column.name} is not null"])
    return f"create {unique}index {how}new_index on {rng.choice(['', '', 'only '])}{table.name} ({what}){where}"


def _indexes(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    index = _name(rng, [*table.indexes, *([table.primary_key] if table.primary_key else [])], "none")
    return rng.choice(
        [
            f"drop index {index}",
            f"drop index if exists {index} cascade",
            f"drop index concurrently {index}",
            f"reindex index {index}",
            f"reindex table {table.name}",
            f"alter index {index} set (fillfactor = 70)",
            f"alter index {index} set tablespace probe_space",
            f"cluster {table.name} using {index}",
        ]
    )


def _maintenance(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables).name
    return rng.choice([f"analyze {table}", f"vacuum {table}", f"vacuum full {table}", f"analyze {table} (id)"])


def _drop_table(rng: Random, schema: Schema) -> str:
    names = ", ".join(table.name for table in rng.sample(schema.tables, rng.randint(1, min(2, len(schema.tables)))))
    return f"drop table {names}{rng.choice(['', ' cascade'])}"


def _truncate(rng: Random, schema: Schema) -> str:
    more = rng.choice(["", " cascade", " restart identity", " restart identity cascade"])
    return f"truncate {rng.choice(schema.tables).name}{more}"


def _create_table(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    return rng.choice(
        [
            f"create table new_table (a int references {table.name})",
            f"create table new_table (like {table.name} including all)",
            f"create table new_table (like {table.name})",
            f"create table new_table () inherits ({table.name})",
            f"create table new_table as select * from {table.name}",
            f"create table new_table as select id from {table.name} with no data",
            f"create table if not exists {table.name} (a int)",
            "create table new_table (a int primary key, b positive, c mood)",
        ]
    )


def _views(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables).name
    source = _name(rng, [*schema.views, *schema.matviews, table], table)
    forms = [
        f"create view new_view as select * from {source}",
        f"create materialized view new_view as select * from {source}",
        f"create materialized view new_view as select * from {source} with no data",
    ]
    for view in schema.views:
        forms += [f"drop view {view}", f"drop view {view} cascade", f"alter view {view} rename to renamed"]
    for view in schema.matviews:
        forms += [
            f"refresh materialized view {view}",
            f"refresh materialized view concurrently {view}",
            f"refresh materialized view {view} with no data",
            f"drop materialized view {view}",
            f"create index on {view} (id)",
            f"alter materialized view {view} rename to renamed",
        ]
    return rng.choice(forms)


def _attached(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    forms = [
        f"create trigger new_trigger before update on {table.name} for each row execute function touched()",
        f"create trigger new_trigger after delete on {table.name} for each statement execute function touched()",
        f"create policy new_policy on {table.name} for select using (true)",
        f"create rule new_rule as on insert to {table.name} do also nothing",
        f"create statistics new_statistics on id, {table.columns[1].name} from {table.name}",
        f"comment on table {table.name} is 'x'",
        f"comment on column {table.name}.id is 'x'",
        f"grant select on {table.name} to probe_owner",
        f"create publication new_publication for table {table.name}",
    ]
    forms += [f"drop trigger {name} on {table.name}" for name in table.triggers]
    forms += [f"drop policy {name} on {table.name}" for name in table.policies]
    forms += [f"alter policy {name} on {table.name} using (false)" for name in table.policies]
    return rng.choice(forms)


def _types(rng: Random, schema: Schema) -> str:
    return rng.choice(
        [
            "alter type mood add value 'so so'",
            "alter type mood rename value 'sad' to 'glum'",
            "alter type pair add attribute z int",
            "alter type pair add attribute z int cascade",
            "alter domain positive add check (value < 1000)",
            "alter domain positive add constraint new_check check (value < 1000) not valid",
            "alter domain positive drop constraint positive_check",
            "alter domain positive set not null",
            "alter domain name_like set default 'x'",
            "drop type mood cascade",
            "drop domain positive cascade",
            "drop domain name_like cascade",
            "alter sequence counter restart",
            "alter sequence counter owned by none",
            f"alter sequence counter owned by {rng.choice(schema.tables).name}.id",
            "drop sequence counter cascade",
            "drop function touched() cascade",
        ]
    )


def _rows(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    column = rng.choice([each for each in table.columns if not each.generated and not each.identity])
    value = TYPES[column.type].replace("g", "5", 1) if column.type == "int" else "null"
    other = rng.choice(schema.tables).name
    return rng.choice(
        [
            f"select * from {table.name}",
            f"select count(*) from {table.name} a join {other} b on a.id = b.id",
            f"select * from {table.name} for update",
            f"update {table.name} set {column.name} = {value} where id = 3",
            f"delete from {table.name} where id = 3",
            f"delete from {table.name}",
            f"insert into {table.name} select * from {table.name} where false",
            f"copy {table.name} to stdout",
            f"lock table {table.name} in {rng.choice(['share', 'access exclusive', 'row exclusive'])} mode",
        ]
    )


STATEMENTS: Sequence[Maker] = [
    _rename,
    *[_partitioning] * 3,
    *[_create_index] * 3,
    *[_indexes] * 2,
    _maintenance,
    *[_drop_table] * 2,
    _truncate,
    *[_create_table] * 2,
    *[_views] * 2,
    *[_attached] * 2,
    *[_types] * 2,
    _rows,
]
