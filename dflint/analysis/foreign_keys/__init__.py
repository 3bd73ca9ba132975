"""What a change does to foreign keys, and to rows by them; and how it is made without stopping others (pure)."""
