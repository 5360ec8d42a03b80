"""The simulated world around the real queue; `benchmarks/simulate.py` plays and prints it."""
