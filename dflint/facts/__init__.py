"""What PostgreSQL does: versioned fact records, and the conditions they and the rules are written in."""
