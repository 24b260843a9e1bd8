"""The hub on this machine, for commands that fetch."""

from tests.download.fake_hub import hub

__all__ = ["hub"]
