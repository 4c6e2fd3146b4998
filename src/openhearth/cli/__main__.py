"""`python -m openhearth.cli` is `hearth`."""

from openhearth.cli import main

main()
