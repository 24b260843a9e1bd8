"""From a remembered fact to changes of somebody's look: "Mika lost her glasses" → Mika, without glasses.

In: a sentence in English, and the names of those it may be about. Out: changes, in order; none when the
sentence says nothing about a look. The rules are few and literal: the sentence begins with who it is about,
and the verb follows at once, so "Mika almost lost", "Ren thinks Mika lost" and "Mika did not lose" change
nothing. What is only given, bought or packed is not worn.
Knows nothing of descriptions; that is `model.story.looks`'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from model.story.garments import COLOURS, LENGTHS, SHADES, STYLES, bare, head, is_worn
from model.story.recalled import as_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """`item` is gone: a noun phrase without determiner."""

    item: str


@dataclass(frozen=True, slots=True, kw_only=True)
class With:
    """`item` is worn now. `again`: only if it was worn before (found, got back)."""

    item: str
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hair:
    """The hair is different: what is not "" replaces what was. `down`: no style any more."""

    length: str = ""
    colour: str = ""
    style: str = ""
    down: bool = False


Change: TypeAlias = Without | With | Hair

_AUX = r"(?:(?:has|had|have|just|now|then|also|later|finally|already|suddenly)\s+)*"
_OWN = r"(?:his|her|their|its|the)"
# Someone else's things are no change of one's own look.
_THING = rf"(?P<thing>(?:{_OWN}\b|an?\b|some\b|both\b)?\s*(?![^,.;]*['’]s\b)[^,.;!?]+)"

_GONE = (
    r"los(?:es|e|t)|removed|removes|dropped|drops|forgot|forgets|broke|breaks|left|sold|sells|tore|burn(?:ed|t)"
    r"|gave\s+away|threw\s+away|took\s+off|takes\s+off|pulled\s+off|stopped\s+wearing|no\s+longer\s+(?:wears|has)"
    r"|(?:is|was)\s+(?:no\s+longer|not)\s+wearing|(?:isn|wasn)['’]t\s+wearing|does\s+not\s+wear"
    r"|doesn['’]t\s+wear|is\s+without|goes\s+without|misses"
)
_WORN = (
    r"put\s+on|puts\s+on|wears|wore|worn|(?:is|was)\s+(?:now\s+)?wearing|changed\s+into|changes\s+into"
    r"|(?:is|was)\s+(?:now\s+)?dressed\s+in|dressed\s+in|pulled\s+on|slipped\s+on|tied\s+on"
)
_BACK = r"found|finds|got\s+back|gets\s+back|picked\s+up|recovered"
_LEAVES = (
    r"(?:broke|sank|vanished|disappeared|(?:are|is|were|was|got|have\s+been|has\s+been)\s+(?:now\s+)?"
    r"(?:gone|lost|broken|stolen|missing|destroyed|taken)|(?:fell|blew|flew|slipped)\s+(?:off|away|into|down|in)\b)"
)

_RULES = tuple(
    (re.compile(rf"^{pattern}", re.IGNORECASE), kind)
    for pattern, kind in (
        (rf"(?:took|takes|pulled)\s+{_THING}\s+off\b", "gone"),
        (rf"(?:threw|gave|throws|gives)\s+{_THING}\s+away\b", "gone"),
        (rf"(?:put|puts|pulled)\s+{_THING}\s+(?:back\s+)?on\b", "worn"),
        (rf"(?:got|gets)\s+{_THING}\s+back\b", "back"),
        (rf"(?:{_GONE})\s+{_THING}", "gone"),
        (rf"(?:{_WORN})\s+{_THING}", "worn"),
        (rf"(?:{_BACK})\s+{_THING}", "back"),
        (rf"(?:gave|gives|lent|lends|handed)\s+(?:\w+\s+)??{_THING}", "gave"),
    )
)
_HAIR = re.compile(
    rf"^(?P<verb>cut|cuts|trimmed|dyed|dyes|coloured|colored|bleached|grew(?:\s+out)?|tied|ties|tied\s+up|put|wears"
    rf"|wore|braided|braids|styled|let|lets|had)\s+{_OWN}\s+(?:\w+\s+){{0,2}}?hair\b(?P<rest>[^,.;!?]*)",
    re.IGNORECASE,
)
_HAIR_IS = re.compile(
    r"^hair\s+(?:is|was|turned|turns|went|became|has\s+turned|has\s+become)\s+(?:now\s+)?(?P<rest>[^,.;!?]+)",
    re.I,
)
_NEXT = re.compile(
    rf"\s*,?\s*\b(?:and|then|but)\b\s+(?:then\s+|also\s+)?(?=(?:{_GONE}|{_WORN}|{_BACK}|took|takes|threw|put|puts|got"
    rf"|gave|lent|cut|dyed|tied|let|braided)\b)",
    re.IGNORECASE,
)


def read_fact(fact: str, names: Mapping[str, str]) -> tuple[tuple[str, Change], ...]:
    """What a fact says about looks.

    Args:
        fact: one or more sentences.
        names: name, alias or pronoun in lower case → who that is.
    Returns:
        (who, change) in the order of the text.
    """
    found: list[tuple[str, Change]] = []
    for sentence in re.split(r"(?<=[.!?;])\s+|\n", " ".join(fact.split())):
        who, own, rest = _subject(sentence, names)
        for clause in _NEXT.split(rest) if who else ():
            changes = tuple(_own_changes(clause) if own else _changes(clause))
            found += [(name, change) for change in changes for name in who]
    return tuple(found)


def read_told(fact: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Who hears of it, in the fact's own words: "Ren told Hana that …", "Hana was told", "ハナに話した"."""
    if not names:
        return ()
    known = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    people = rf"(?P<who>(?:{known})(?![^\W_])(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?:{known})(?![^\W_]))*)"
    found: list[str] = []
    for pattern in (
        rf"\b(?:told|tells|informed|warned|showed|shows)\s+{people}",
        rf"(?<![^\W_]){people}\s+(?:was|were)\s+told\b",
        rf"(?P<who>{known})に[^。]*(?:話し|教え|伝え|告げ|打ち明け)",
    ):
        for match in re.finditer(pattern, fact, re.IGNORECASE):
            found += re.findall(known, match["who"], re.IGNORECASE)
    return tuple(dict.fromkeys(names[name.lower()] for name in found))


def _subject(sentence: str, names: Mapping[str, str]) -> tuple[tuple[str, ...], bool, str]:
    """Who the sentence begins with, whether it is about a thing of theirs ("Mika's"), and what follows."""
    if not names:
        return (), False, ""
    known = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    opening = re.match(
        rf"(?:(?:now|then|later|today|so)\b,?\s+)?(?P<who>(?:{known})(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?:{known}))*)"
        rf"(?P<own>['’]s)?\s+{_AUX}",
        sentence,
        re.IGNORECASE,
    )
    if opening is None:
        return (), False, ""
    who = re.findall(rf"(?<![^\W_])(?:{known})(?![^\W_])", opening["who"], re.IGNORECASE)
    people = tuple(dict.fromkeys(names[name.lower()] for name in who))
    return people, opening["own"] is not None, sentence[opening.end() :]


def _changes(clause: str) -> Iterator[Change]:
    hair = _HAIR.match(clause)
    if hair is not None:
        change = _hair(hair["verb"].lower(), hair["rest"])
        if change is not None:
            yield change
        return
    for pattern, kind in _RULES:
        match = pattern.match(clause)
        if match is None:
            continue
        for thing in re.split(r"\s+and\s+|\s*,\s*", match["thing"]):
            item = bare(thing)
            noun = head(item)
            if not noun or noun == "hair":
                continue
            if kind in ("gone", "gave"):
                yield Without(item=item)
            elif is_worn(noun) and len(item.split()) <= 5:
                yield With(item=as_words(item), again=kind == "back")
        return


def _own_changes(clause: str) -> Iterator[Change]:
    """After "Mika's": "glasses broke", "hair turned white"."""
    hair = _HAIR_IS.match(clause)
    if hair is not None:
        change = _hair("", hair["rest"])
        if change is not None:
            yield change
        return
    leaves = re.match(rf"(?P<thing>[\w\s-]+?)\s+{_LEAVES}", clause, re.IGNORECASE)
    if leaves is not None and head(leaves["thing"]) not in ("", "hair"):
        yield Without(item=bare(leaves["thing"]))


def _hair(verb: str, rest: str) -> Hair | None:
    """What was done to the hair, from the verb and the words after "hair"."""
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", rest.lower())
    text = " ".join(words)
    style = next((written for said, written in STYLES.items() if re.search(rf"\b{said}\b", text)), "")
    colours = [word for word in words if word in COLOURS]
    shades = [word for word in words if word in SHADES] if colours else []
    length = next((word for word in words if word in LENGTHS and word != "very"), "")
    if (verb.startswith(("cut", "trim")) or (verb == "had" and "cut" in words)) and not style and not length:
        length = "short"
    if verb.startswith("grew") and not length:
        length = "long"
    if verb.startswith("braid") and not style:
        style = "braid"
    if verb == "bleached" and not colours:
        colours = ["blonde"]
    down = verb.startswith("let") and "down" in words
    change = Hair(length=length, colour=" ".join([*shades, *colours[-1:]]), style=style, down=down)
    return None if change == Hair() else change
