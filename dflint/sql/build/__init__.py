"""From PostgreSQL's raw parse tree to operations.

One function per kind of statement. Strictness is by key: a builder names every key it reads and every key it may
ignore, and `claim` raises `Unread` for any other, which makes the statement `Opaque`: nothing is half understood.
Builder modules are imported when the first statement that needs them is met.
"""
