"""The door: `python run.py STORY` draws a book, `python run.py --help` lists the rest."""

import sys

if __name__ == "__main__":
    try:
        from model.cli import main
    except KeyboardInterrupt:  # in the moment that imports take
        sys.exit(130)
    sys.exit(main())
