"""Command line: one function a command, each thin. What they need is imported when they run."""

from dlcc.cli.program import app, main

__all__ = ["app", "main"]
