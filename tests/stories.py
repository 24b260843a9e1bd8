"""The story that tests of whole runs draw."""

from __future__ import annotations

from typing import Any


def two_friends() -> dict[str, Any]:
    """A new copy of a story of two pages, three panels and two characters."""
    return {
        "version": 1,
        "title": "Two Friends",
        "characters": {
            "mika": {"name": "Mika", "description": "girl with red hair, glasses"},
            "ren": {"name": "Ren", "description": "boy with blue hair, hoodie"},
        },
        "pages": [
            {
                "panels": [
                    {
                        "scene": "beach",
                        "shot": "wide",
                        "caption": "At last.",
                        "characters": [{"id": "mika", "action": "standing"}],
                        "dialogue": [{"speaker": "mika", "text": "Hello!"}],
                    },
                    {
                        "scene": "beach",
                        "characters": [{"id": "mika"}, {"id": "ren", "action": "waving"}],
                        "dialogue": [{"speaker": "ren", "text": "You came."}],
                    },
                ]
            },
            {"panels": [{"scene": "sunset", "shot": "wide", "caption": "The end."}]},
        ],
    }
