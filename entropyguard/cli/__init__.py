"""The command line: flags in, lines out."""

from entropyguard.cli.app import main

__all__ = ["main"]
