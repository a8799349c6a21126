"""`python -m jarvis` is the program `jarvis`."""

from __future__ import annotations

import sys

from jarvis.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
