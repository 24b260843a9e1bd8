"""What can go wrong, and the exit code each kind of trouble has.

    AutoStudioError
    ├── StoryError        2  the story file, or something it names, is wrong
    ├── ConfigError       2  a flag, a command or a setting is wrong
    ├── PackageMissing    3  a Python package is absent or does not fit
    ├── WeightsMissing    3  a checkpoint is not on this machine
    ├── IntegrityError    3  a file is not what its checksum says
    ├── StorageError      3  the disk is full, read-only or out of reach
    ├── OutOfMemory       3  the device has too little memory, even for the smallest plan
    ├── Stopped         130  somebody asked the run to stop; it goes on later by key
    └── PanelFailed       1  one panel could not be drawn; the book goes on

A message says where, what was found, what was expected and what to do; it fits on one line.
Expected bad outcomes (nothing detected, a panel rejected) are values, not exceptions.
"""

import re

# What ends a line, rings a bell, or cannot be written as UTF-8.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

_LONGEST = 1600  # characters of a message


class AutoStudioError(Exception):
    """Base of every error this project raises on purpose. `exit_code` is what the process returns."""

    exit_code = 3

    def __str__(self) -> str:
        """The message on one line, whatever names of files and of strangers stand in it."""
        text = _BREAKS.sub(" ", super().__str__())
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 400]} … {text[-390:]}"


class StoryError(AutoStudioError):
    """The story, or a file it names, is not usable."""

    exit_code = 2


class ConfigError(AutoStudioError):
    """A flag or setting is not usable."""

    exit_code = 2


class PackageMissing(AutoStudioError):
    """A Python package is absent or does not fit the others."""


class WeightsMissing(AutoStudioError):
    """A checkpoint is not on this machine."""


class IntegrityError(AutoStudioError):
    """A file is not what its checksum or format says it should be."""


class StorageError(AutoStudioError):
    """The disk is full, read-only or out of reach."""


class OutOfMemory(AutoStudioError):
    """The device has too little memory, even for the smallest plan."""


class Stopped(AutoStudioError):
    """A run was asked to stop, and did so between two steps; what was finished is kept."""

    exit_code = 130


class PanelFailed(AutoStudioError):
    """One panel could not be drawn."""

    exit_code = 1
