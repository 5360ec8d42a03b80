"""The kinds of figures, one file each: NAME, TITLE, `unfit(subject)` and `draw(subject)`."""
