"""`python3 -m planner`: see that the libraries are there, then hand over to the command line."""

import sys

from planner import bootstrap

if __name__ == "__main__":
    bootstrap.enter(sys.argv[1:])
    from planner.cli import main

    main()
