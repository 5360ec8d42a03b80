"""What is measured, against whom. `python -m benchmarks` runs everything and prints tables with ratios."""
