"""The rulebook: rules as data, compiled into a table by kind of operation."""
