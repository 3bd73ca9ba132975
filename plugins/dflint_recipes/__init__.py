"""dflint's own builders of recipes, offered through the same door as a stranger's. Importing this loads none of them.

One table for each subject: name -> function in the module of that name.
"""

from __future__ import annotations

from collections.abc import Mapping

from dflint.plugin import hookimpl

_BUILDERS: Mapping[str, Mapping[str, str]] = {
    "keys": {
        "add-primary-key": "add_primary_key",
    },
    "indexes": {
        "create-index-on-partitions": "create_index_on_partitions",
        "drop-index-concurrently": "drop_index_concurrently",
        "refresh-concurrently": "refresh_concurrently",
        "reindex-concurrently": "reindex_concurrently",
        "replace-index": "replace_index",
    },
    "partitions": {
        "attach-partition": "attach_partition",
        "detach-partition": "detach_partition",
    },
    "partitioned_keys": {
        "add-foreign-key-on-partitions": "add_foreign_key_on_partitions",
        "add-key-on-partitions": "add_key_on_partitions",
    },
    "columns": {
        "add-column-filled": "add_column_filled",
        "drop-column": "drop_column",
        "drop-table": "drop_table",
    },
    "numbered": {
        "add-column-numbered": "add_column_numbered",
    },
    "storage": {
        "in-a-window": "in_a_window",
        "move-index": "move_index",
    },
    "rows": {
        "backfill": "backfill",
        "delete-in-batches": "delete_in_batches",
    },
}

#: Builders that share their statements with an analysis.
_OF_THE_CORE = {
    "change-column-type": "dflint.planning.recipes.shadow:change_column_type",
    "change-foreign-key": "dflint.planning.recipes.foreign_keys:change_foreign_key",
    "change-key-type": "dflint.planning.recipes.shadow:change_key_type",
    "move-table": "dflint.analysis.rename.recipe:move_table",
    "rename-column": "dflint.planning.recipes.second_name:rename_column",
    "rename-table": "dflint.analysis.rename.recipe:rename_table",
}


@hookimpl
def dflint_recipes() -> Mapping[str, str]:
    """Name -> reference."""
    return _OF_THE_CORE | {
        name: f"dflint_recipes.{module}:{function}"
        for module, functions in _BUILDERS.items()
        for name, function in functions.items()
    }
