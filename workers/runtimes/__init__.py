"""One file per runtime: what loads a model file and answers questions about it."""
