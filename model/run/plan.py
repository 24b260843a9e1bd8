"""A story file becomes a plan: the page says how wide each panel is, the story what is in it.

In: the story's path and the shapes that a checkpoint draws. Out: the `Plan`. Nothing is drawn or loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.config import Settings
from model.page.layout.templates import arrange_page
from model.page.layout.tiers import View
from model.render.weights import Checkpoint
from model.story.plan import Plan, own_frames, plan_story
from model.story.schema import StoryPage, load_story


def plan_for(path: Path, settings: Settings, checkpoint: Checkpoint) -> Plan:
    """Read, check and plan the story for the shapes this checkpoint draws."""
    return plan_in_shapes(path, settings.seed, checkpoint.shapes)


def plan_in_shapes(path: Path, seed: int, shapes: Sequence[tuple[int, int]]) -> Plan:
    """Read, check and plan the story for panels of these sizes in pixels."""
    story = load_story(path)

    def aspects(template: str, page: StoryPage) -> tuple[float, ...]:
        views = tuple(View(shot=panel.shot, emphasis=panel.emphasis) for panel in page.panels)
        return arrange_page(template, views, story.page.size, own=own_frames(page)).aspects()

    return plan_story(story, seed=seed, aspects=aspects, shapes=shapes)
