"""The command line: verbs, exit codes, the terminal. The only code that prints."""
