"""Operations: what a migration's statements intend, one frozen type for each kind."""
