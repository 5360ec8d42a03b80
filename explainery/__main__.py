"""`python -m explainery` is the command line."""

from __future__ import annotations

from explainery.cli.main import main

main()
