"""Drives batches: reads their lines, hands them in as jobs, and writes the answers. A process of its own, without torch."""
