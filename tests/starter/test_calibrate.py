"""The limit between one character and another."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.starter.calibrate import even_odds


def test_two_bells_of_one_width_meet_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    limit, spread = even_odds(rng.normal(0.7, 0.1, 4000), rng.normal(0.3, 0.1, 20_000))
    assert limit == pytest.approx(0.5, abs=0.01)
    # Of two normal curves the log odds are linear, with slope (0.7 - 0.3) / 0.1².
    assert spread == pytest.approx(0.1**2 / 0.4, rel=0.2)


def test_what_is_apart_is_parted_between() -> None:
    limit, spread = even_odds(np.linspace(0.8, 0.9, 30), np.linspace(0.0, 0.4, 300))
    assert 0.4 < limit < 0.8
    assert 0 < spread < 0.1
