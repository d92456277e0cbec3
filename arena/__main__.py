"""`python -m arena`: the command line. It knows only where the command line is."""

import sys

from arena.cli import main

sys.exit(main())
