"""How many random examples a property test gets, and whether they are the same ones each time.

Loaded by `conftest.py`. `check` (the default) tries the same examples on every run and every machine; `long`
(`--hypothesis-profile long`, which `scripts/check --all` takes) draws new ones, and more of them.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

MORE = 5

# How quickly an example is drawn or tried says something of the machine, nothing of the code.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("check", _UNTIMED, derandomize=True)
settings.register_profile("long", _UNTIMED, derandomize=False, max_examples=100 * MORE)


def examples(count: int) -> int:
    """The number of examples for a test that tries `count` in the check."""
    return count * MORE if settings.get_current_profile_name() == "long" else count
