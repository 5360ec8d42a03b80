"""Trials: a model's file is opened, checked and called in a limited child process before any worker takes it in."""
