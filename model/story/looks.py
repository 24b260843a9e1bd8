"""A description after what happened: "girl with long silver hair, glasses" without glasses.

In: a description as stories write it (parts with commas, "with", "and", "wearing" inside a part), and changes
in order. Out: the description as it is now; the very same text when nothing in it changed.
Knows nothing of how changes are read from facts, nor of prompts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.story.facts import Change, Hair, With, Without
from model.story.garments import COLOURS, LENGTHS, SHADES, STYLES, head, is_worn, replaces

_BORDER = re.compile(r"(\s*[,;]\s*|\s+(?:with|and|wearing|in|plus)\s+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A noun phrase and what joins it to the one before."""

    lead: str
    phrase: str
    shown: bool = True

    @property
    def begins_part(self) -> bool:
        return not self.lead.strip() or self.lead.strip() in ",;"


def changed_look(description: str, changes: Sequence[Change]) -> str:
    """The description after the changes, in their order.

    - Without: the phrase whose noun is the item's goes, with its "with" or "and"; one that is not there is
      ignored. What was said of a garment goes with it ("hoodie with stripes").
    - With: a phrase that went comes back where it was; another item takes the place of what cannot be worn
      beside it (a dress that of a hoodie), or is added at the end. An item without a word of its own ("her
      glasses") changes nothing where one is shown.
    - Hair: length, colour or style are replaced in the phrase about hair; without one it is added.
    """
    pieces = _pieces(description)
    for change in changes:
        if isinstance(change, Without):
            pieces = _without(pieces, head(change.item))
        elif isinstance(change, With):
            pieces = _with(pieces, change)
        else:
            pieces = _with_hair(pieces, change)
    return description if pieces == _pieces(description) else _written(pieces)


def _pieces(description: str) -> list[_Piece]:
    texts = _BORDER.split(description.strip())
    leads = ["", *texts[1::2]]
    return [_Piece(lead=lead, phrase=phrase) for lead, phrase in zip(leads, texts[::2], strict=True)]


def _written(pieces: Sequence[_Piece]) -> str:
    """The shown pieces; one that follows a hidden piece takes over how that was joined, where it needs to."""
    text, waiting = "", ""
    for piece in pieces:
        if piece.begins_part:
            waiting = ""
        if not piece.shown:
            # "with glasses and long hair": what comes after "and" is now what comes after "with".
            waiting = waiting or piece.lead or ", "
            continue
        lead = piece.lead
        if waiting and (lead.strip().lower() == "and" or waiting.strip() in (",", ";")):
            lead = waiting
        text += (lead if text else "") + piece.phrase
        waiting = ""
    return text


def _without(pieces: Sequence[_Piece], noun: str) -> list[_Piece]:
    changed: list[_Piece] = []
    own = False  # what follows is said of a garment that has just gone
    for index, piece in enumerate(pieces):
        # The first phrase says who it is; without it there is nobody.
        goes = piece.shown and index > 0 and bool(noun) and head(piece.phrase) == noun
        if goes or piece.begins_part or piece.lead.strip().lower() == "and":
            own = goes
        elif own and not is_worn(head(piece.phrase)) and not _style_of(piece.phrase):
            goes = piece.shown
        changed.append(replace(piece, shown=False) if goes else piece)
    return changed


def _with(pieces: Sequence[_Piece], change: With) -> list[_Piece]:
    noun = head(change.item)
    plain = len(change.item.split()) == 1
    same = [index for index, piece in enumerate(pieces) if head(piece.phrase) == noun]
    if plain and any(pieces[index].shown for index in same):
        return list(pieces)
    if same and (plain or pieces[same[-1]].phrase.lower() == change.item.lower()):
        back = same[-1]
        changed = _giving_way(pieces, noun)
        changed[back] = replace(changed[back], shown=True)
        for index in range(back + 1, len(changed)):  # with what was said of it
            piece = changed[index]
            if piece.begins_part or piece.lead.strip().lower() == "and" or is_worn(head(piece.phrase)):
                break
            changed[index] = replace(piece, shown=True)
        return changed
    if change.again:
        return list(pieces)
    changed = _giving_way(pieces, noun)
    for index, (old, now) in enumerate(zip(pieces, changed, strict=True)):
        if old.shown and not now.shown:  # the new takes the place of the old
            return [*changed[: index + 1], _Piece(lead=old.lead, phrase=change.item), *changed[index + 1 :]]
    return [*changed, _Piece(lead=", ", phrase=change.item)]


def _giving_way(pieces: Sequence[_Piece], noun: str) -> list[_Piece]:
    """The pieces without what cannot be worn beside `noun`."""
    changed = list(pieces)
    for old in {head(piece.phrase) for piece in pieces[1:] if piece.shown}:
        if is_worn(old) and replaces(noun, old):
            changed = _without(changed, old)
    return changed


def _with_hair(pieces: Sequence[_Piece], change: Hair) -> list[_Piece]:
    for index, piece in enumerate(pieces):
        if piece.shown and index > 0 and _style_of(piece.phrase):
            after = list(pieces[index + 1 :])
            # "red hair in a braid": the braid goes with the old style.
            if (
                after
                and after[0].lead.strip() == "in"
                and _style_of(after[0].phrase)
                and change != Hair(colour=change.colour)
            ):
                after[0] = replace(after[0], shown=False)
            return [*pieces[:index], replace(piece, phrase=_hair_phrase(piece.phrase, change)), *after]
    return [*pieces, _Piece(lead=", ", phrase=_hair_phrase("hair", change))]


def _style_of(phrase: str) -> str:
    """The words that say it is hair: "hair", or a style such as "twin tails"; "" for anything else."""
    text = phrase.lower()
    if re.search(r"\bhair$", text):
        return "hair"
    return next((said for said in STYLES if re.search(rf"\b{said}$", text)), "")


def _hair_phrase(phrase: str, change: Hair) -> str:
    """The phrase about hair with what changed: [length] [colour] [the rest] hair or style."""
    style = _style_of(phrase)
    words = phrase[: len(phrase) - len(style)].split()
    article = [word for word in words if word.lower() in ("a", "an")]
    length = " ".join(word for word in words if word.lower() in LENGTHS)
    colour = " ".join(word for word in words if word.lower() in COLOURS | SHADES)
    rest = [word for word in words if word.lower() not in COLOURS | SHADES | LENGTHS and word not in article]
    if change.style or change.down or change.length:
        style = change.style or ("hair" if change.down or style != "hair" else style)
    if change.length or change.style:
        length = "" if change.style else change.length
        # Spiky or curly hair stays so when it is cut, not when it is tied.
        rest = [] if change.style else rest
    colour = change.colour or colour
    if style == "hair":
        article = []
    return " ".join(part for part in [*article, length, *rest, colour, style] if part)
