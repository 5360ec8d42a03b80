"""Adding models to the repository: reads what a file says of itself, drafts its card, and puts both into a new version.

No library that computes is needed but for state dicts (`state_dict.py`): the API adds models too. Files are read, never run.
"""
