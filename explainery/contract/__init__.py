"""What both sides agree on: frozen data, no I/O."""
