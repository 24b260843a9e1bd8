"""Words as the text search compares them: folded names, tokens, sentences.

In: text in any script. Out: case-folded tokens (Chinese, Japanese and Korean in overlapping pairs of
characters, English irregular forms as their plain verb), whole sentences, a count of tokens. Pure.
Knows nothing of memories or of how they are ranked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_CJK = "\u3005\u3007\u3041-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_PIECE = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:['’][^\W\d_{_CJK}]+)*")
_IS_CJK = re.compile(f"[{_CJK}]")
# A full stop ends a sentence only before a space: "3.5" and "p.m" do not end one.
_SENTENCE = re.compile(r".+?(?:[。！？!?…]+[」』”\"']*|\.+[”\"']*(?=\s|$)|$)\s*", re.DOTALL)

# The porter stemmer of FTS5 joins "wait" and "waiting", not these.
_IRREGULAR = {
    form: verb
    for verb, forms in {
        "be": "am is are was were been being", "bear": "bore borne", "beat": "beaten",
        "become": "became", "begin": "began begun", "bend": "bent", "bite": "bit bitten",
        "blow": "blew blown", "break": "broke broken", "bring": "brought", "build": "built",
        "burn": "burnt", "buy": "bought", "catch": "caught", "child": "children", "choose": "chose chosen",
        "come": "came", "creep": "crept", "deal": "dealt", "dig": "dug", "do": "does did done",
        "draw": "drew drawn", "dream": "dreamt", "drink": "drank drunk", "drive": "drove driven",
        "eat": "ate eaten", "fall": "fell fallen", "feed": "fed", "feel": "felt", "fight": "fought",
        "find": "found", "flee": "fled", "fly": "flew flown", "foot": "feet", "forbid": "forbade forbidden",
        "forget": "forgot forgotten", "forgive": "forgave forgiven", "freeze": "froze frozen",
        "get": "got gotten", "give": "gave given", "go": "went gone goes", "grow": "grew grown",
        "hang": "hung", "have": "has had", "hear": "heard", "hide": "hid hidden", "hold": "held",
        "keep": "kept", "kneel": "knelt", "know": "knew known", "lead": "led", "leave": "left",
        "lend": "lent", "lie": "lay lain", "light": "lit", "lose": "lost", "make": "made",
        "mean": "meant", "meet": "met", "mouse": "mice", "pay": "paid", "ride": "rode ridden",
        "ring": "rang rung", "rise": "rose risen", "run": "ran", "say": "said", "see": "saw seen",
        "seek": "sought", "sell": "sold", "send": "sent", "shake": "shook shaken", "shine": "shone",
        "shoot": "shot", "sing": "sang sung", "sink": "sank sunk", "sit": "sat", "sleep": "slept",
        "speak": "spoke spoken", "spend": "spent", "stand": "stood", "steal": "stole stolen",
        "stick": "stuck", "swear": "swore sworn", "swim": "swam swum", "take": "took taken",
        "teach": "taught", "tear": "tore torn", "tell": "told", "think": "thought", "throw": "threw thrown",
        "tooth": "teeth", "understand": "understood", "wake": "woke woken", "wear": "wore worn",
        "weep": "wept", "win": "won", "write": "wrote written",
    }.items()
    for form in forms.split()
}  # fmt: skip

# Words of a question that say nothing of what it asks about.
_EMPTY_WORDS = (
    "a an the of to in on at by for from with as and or but if so that this these those it its be do have "
    "who whom whose what which when where why how can could will would should shall may might must "
    "he she they him her them his hers their theirs i me my mine you your yours we us our there here "
    "not no any some about into up out than then too very just"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())


def fold(text: str) -> str:
    """NFKC and case-folded, spaces squeezed: "Ａｎｏｎ " and "anon" are one name."""
    # Folding may undo the composition of NFKC, and the other way round; twice is stable.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.split())


def tokens(text: str) -> tuple[str, ...]:
    """The tokens of a text in order, one spelling each, for an index.

    Runs of Chinese, Japanese or Korean become overlapping pairs; a run of one character is that character.
    """
    found: list[str] = []
    for match in _PIECE.finditer(fold(text)):
        piece = match.group()
        if _IS_CJK.match(piece):
            found += [piece[i : i + 2] for i in range(max(len(piece) - 1, 1))]
        else:
            word = re.split("['’]", piece)[0]  # "mika's" is about "mika"
            found.append(_IRREGULAR.get(word, word))
    return tuple(found)


def telling(text: str) -> tuple[str, ...]:
    """The tokens that say what a text is about, each once: those of `tokens` without "the", "what", "did" …;
    all of them when nothing is left."""
    found = tuple(dict.fromkeys(tokens(text)))
    return tuple(token for token in found if token not in _EMPTY) or found


def sentences(text: str) -> tuple[str, ...]:
    """The text cut after each sentence; the pieces put together are the text with its spaces squeezed."""
    return tuple(match.group() for match in _SENTENCE.finditer(" ".join(text.split())) if match.group())


def count_tokens(text: str) -> int:
    """How many tokens a text encoder will need for it, estimated on the high side: T5 and CLIP spell long
    words in pieces of about four letters; a CJK character is one."""
    pieces = _PIECE.findall(unicodedata.normalize("NFKC", text))
    marks = sum(1 for letter in text if not letter.isalnum() and not letter.isspace())
    return marks + sum(len(piece) if _IS_CJK.match(piece) else 1 + (len(piece) - 1) // 4 for piece in pieces)


def cut(text: str, budget: int, count: Callable[[str], int] = count_tokens) -> str:
    """The first whole sentences of `text` that fit in `budget` tokens together; "" when not even one does."""
    kept = ""
    for sentence in sentences(text):
        if count(kept + sentence) > budget:
            break
        kept += sentence
    return kept.rstrip()
