"""How many random examples a property test gets, and whether they are the same ones each time.

Loaded by `conftest.py`. `check` (the default) and `long` (`--hypothesis-profile long`, more examples, which
`scripts/check --all` takes) try the same examples on every run and every machine, so that a change is refused
for what it does. `search` draws new ones, as many as `long`: run it by hand, and mend what it finds.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

MORE = 5

# How quickly an example is drawn or tried says something of the machine, nothing of the code.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("check", _UNTIMED, derandomize=True)
settings.register_profile("long", _UNTIMED, derandomize=True, max_examples=100 * MORE)
settings.register_profile("search", _UNTIMED, derandomize=False, max_examples=100 * MORE)


def examples(count: int) -> int:
    """The number of examples for a test that tries `count` in the check."""
    return count if settings.get_current_profile_name() == "check" else count * MORE
