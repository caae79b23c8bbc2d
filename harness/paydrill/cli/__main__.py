"""`python -m paydrill.cli` is `paydrill`."""

from paydrill.cli import main

main()
