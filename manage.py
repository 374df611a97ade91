#!/usr/bin/env python
"""Django's command line. What a person can get wrong ends in one line, not in a traceback."""

import sys

from config.command_line import run

if __name__ == "__main__":
    sys.exit(run(sys.argv))
