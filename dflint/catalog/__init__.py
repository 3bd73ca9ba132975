"""The catalog as it really is: reading it from a server, keeping it in files, comparing it."""
