"""The door: `python app.py` runs Progressive Arena. See README.md."""

import sys

from arena.cli import main

if __name__ == "__main__":
    sys.exit(main())
