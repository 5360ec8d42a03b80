"""Methods that are wrong on purpose, for finding out whether the checks notice: a plugin folder."""
