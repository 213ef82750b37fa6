"""`python -m costconsole` is the same as `costconsole`."""

import sys

from costconsole.cli import main

if __name__ == "__main__":
    sys.exit(main())
