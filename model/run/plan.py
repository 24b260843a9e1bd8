"""A story becomes a plan: the page says how wide each panel is, the story what is in it.

In: a story file, a story as a dict, or a checked `Story`, and the shapes that a checkpoint draws. Out: the
`Plan`. Nothing is drawn or loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.page.export.book import lettering_notes
from model.page.layout.templates import arrange_page
from model.page.layout.tiers import View
from model.run.bind import lettered
from model.story.plan import Plan, own_frames, plan_story
from model.story.schema import Story, StoryPage, load_story, read_story
from model.story.syntax import in_plain_words

StorySource = str | Path | Mapping[str, Any] | Story


def read_plan(source: StorySource, *, seed: int, shapes: Sequence[tuple[int, int]]) -> Plan:
    """Read, check and plan a story for panels of these sizes.

    Args:
        seed: of the run; every panel's own is derived from it.
        shapes: (width, height) in pixels that can be drawn.
    Raises:
        StoryError: the story, or a file that it names, cannot be used; the message says where.
    """
    if isinstance(source, Story):
        story = source
    elif isinstance(source, Mapping):
        story = read_story(source)
    else:
        story = load_story(Path(source))

    def aspects(template: str, page: StoryPage) -> tuple[float, ...]:
        views = tuple(View(shot=panel.shot, emphasis=panel.emphasis) for panel in page.panels)
        return arrange_page(template, views, story.page.size, own=own_frames(page)).aspects()

    story = in_plain_words(story)
    plan = plan_story(story, seed=seed, aspects=aspects, shapes=shapes)
    if story.path.is_file():
        return replace(plan, source=story.path)
    return replace(plan, written=story.model_dump_json(exclude_defaults=True, indent=1))


def check_lettering(plan: Plan) -> tuple[str, ...]:
    """Letter the plan without pictures, so that what cannot be set is refused before anything is drawn.

    Returns:
        The letterer's notes.
    Raises:
        StoryError: a text has no room in its panel.
    """
    return lettering_notes(lettered(plan, {}, {}))
