"""The commands; `estradyn --help` lists them."""

from estradyn.cli.application import main

__all__ = ["main"]
