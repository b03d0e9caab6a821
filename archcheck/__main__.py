"""`python -m archcheck`: the same as the command `archcheck`."""

from archcheck.cli.entry import main

if __name__ == "__main__":
    main()
