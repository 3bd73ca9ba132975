"""``python -m dflint``."""

from dflint.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
