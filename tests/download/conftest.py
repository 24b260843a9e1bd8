"""The hub on this machine, for the tests here."""

from tests.download.fake_hub import hub, make_tensors

__all__ = ["hub", "make_tensors"]
