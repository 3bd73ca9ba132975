"""Statements at random over a generated schema. Most of them make sense; the server refuses the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.probes.schemas import OF_SPARE, TYPES, Schema, Table
from tests.probes.subcommands import SUBCOMMANDS, any_column, one_of


def statement(rng: Random, schema: Schema) -> str:
    """One statement."""
    if rng.random() < 0.6:
        table = rng.choice(schema.tables)
        count = rng.choice([1, 1, 1, 2, 3])
        commands = [rng.choice(SUBCOMMANDS)(rng, schema, table) for _ in range(count)]
        only = "only " if rng.random() < 0.08 else ""
        return f"alter table {only}{table.name} {', '.join(command for command in commands)}"
    return rng.choice(STATEMENTS)(rng, schema)


Maker = Callable[[Random, Schema], str]


def _rename(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    forms = [
        f"alter table {table.name} rename to renamed",
        f"alter table {table.name} rename column {any_column(rng, table).name} to renamed",
        f"alter table {table.name} rename column id to renamed",
        f"alter table {table.name} set schema {rng.choice(['beside', 'beside', 'public', 'pg_temp', 'missing'])}",
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


def _attaching(rng: Random, schema: Schema) -> str:
    """ATTACH, and DETACH that is refused in a block or beside a default partition."""
    tables = [table for table in schema.tables if table.partition_by]
    if not tables:
        return _create_table(rng, schema)
    table = rng.choice(tables)
    part = rng.choice([each for each in schema.tables if each.parent == table.name]).name
    bound = {
        "list": f"for values in ({OF_SPARE})",
        "range": f"for values from ({OF_SPARE}) to ({OF_SPARE + 10})",
        "hash": "for values with (modulus 4, remainder 3)",
    }[table.partition_by]
    attached = rng.choice([table.spare or part, table.spare or part, part, rng.choice(schema.tables).name])
    return rng.choice(
        [
            *[f"alter table {table.name} attach partition {attached} {rng.choice([bound, bound, bound, 'default'])}"]
            * 4,
            f"alter table {table.name} detach partition {part}{' concurrently' if schema.major >= 14 else ''}",
        ]
    )


def _create_index(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    column = any_column(rng, table)
    unique = rng.choice(["", "", "unique "])
    how = rng.choice(["", "", "", "concurrently "])
    what = rng.choice([column.name, column.name, f"{column.name}, id", f"({column.name}::text)"])
    where = rng.choice(["", "", f" where {column.name} is not null"])
    return f"create {unique}index {how}new_index on {rng.choice(['', '', 'only '])}{table.name} ({what}){where}"


def _indexes(rng: Random, schema: Schema) -> str:
    table = rng.choice(schema.tables)
    index = one_of(rng, [*table.indexes, *([table.primary_key] if table.primary_key else [])], "none")
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
    source = one_of(rng, [*schema.views, *schema.matviews, table], table)
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
            f"alter type pair drop attribute {rng.choice(['x', 'y', 'z'])}{rng.choice(['', ' cascade', ' cascade'])}",
            f"alter type pair rename attribute x to renamed{rng.choice(['', ' cascade'])}",
            f"alter type pair alter attribute y type bigint{rng.choice(['', ' cascade'])}",
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
    # Which partitions get rows, and whether one has row 3, no catalog tells.
    third = "" if table.parent else " where id = 3"
    filled = rng.choice([each for each in schema.tables if not each.partition_by]).name
    return rng.choice(
        [
            f"select * from {table.name}",
            f"select count(*) from {table.name} a join {other} b on a.id = b.id",
            f"select * from {table.name} for update",
            f"update {table.name} set {column.name} = {value}{third}",
            f"delete from {table.name}{third}",
            f"delete from {table.name}",
            f"insert into {filled} select * from {filled} limit 1",
            f"copy {table.name} to stdout",
            f"lock table {table.name} in {rng.choice(['share', 'access exclusive', 'row exclusive'])} mode",
        ]
    )


def _missing_columns(rng: Random, schema: Schema) -> str:
    """Rows by names of columns, some of which do not exist."""
    table = rng.choice(schema.tables)
    named = rng.choice([any_column(rng, table).name, "missing", "ctid"])
    third = "true" if table.parent else "id = 3"
    return rng.choice(
        [
            f"update {table.name} set {named} = null where {third}",
            f"update {table.name} set {named} = null from {rng.choice(['missing', 'typed'])}",
            f"delete from {table.name} where {named} is not null and {third}",
            f"insert into {table.name} ({named}) select null",
        ]
    )


def _publications(rng: Random, schema: Schema) -> str:
    names = [rng.choice(schema.tables).name, rng.choice([*schema.tables, *schema.tables, Table("missing", [])]).name]
    tables = ", ".join(dict.fromkeys(names[: rng.choice([1, 1, 2])]))
    publication = one_of(rng, schema.publications, "new_publication")
    if not schema.publications:
        return f"create publication {publication} for table {rng.choice(['', 'only '])}{tables}"
    return f"alter publication {publication} {rng.choice(['add', 'drop', 'set'])} table {tables}"


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
    *[_rows] * 2,
    *[_attaching] * 2,
    _missing_columns,
    _publications,
]
