"""The detector's words: a BERT vocabulary of the drawn world's captions, a whole word a token.

GroundingDINO's port knows four tokens by the ids that they have in bert-base-uncased, and splits phrases at
them; so here they have the same ids, and the rows between are filled with the world's words or unused. In:
the words of `captions.py` and of the drawn world. Out: a BertTokenizer. Knows nothing of phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from transformers import BertTokenizer

from scripts.starter.captions import EXPRESSIONS, vocabulary
from scripts.starter.world.identity import ACCESSORIES, OUTFITS, POSES, STYLES
from scripts.starter.world.palette import CLOTH, EYES, HAIR

FIXED = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ",": 1010, "-": 1011, ".": 1012}
FIXED["?"] = 1029
SIZE = 1030
FIRST_WORD = 104  # words stand behind bert-base-uncased's own special tokens
MORE = ("character", "characters", "people", "hero", "heroine", "young", "and", "the", "who", "is", "clothes")


def all_words() -> list[str]:
    """Every word a phrase may have, as BERT's pre-tokenizer cuts them (`t-shirt` is three), sorted."""
    phrases: Iterable[str] = (*HAIR, *CLOTH, *EYES, *STYLES, *OUTFITS, *ACCESSORIES, *POSES, *EXPRESSIONS)
    spoken = {word for phrase in (*phrases, *vocabulary(), *MORE) for word in re.findall(r"[a-z]+", phrase)}
    return sorted(spoken)


def word_ids() -> dict[str, int]:
    """Token → id, dense from 0 to `SIZE` − 1."""
    ids = dict(FIXED)
    free = iter(range(FIRST_WORD, SIZE))
    taken = set(FIXED.values())
    for word in all_words():
        ids[word] = next(index for index in free if index not in taken)
    named = set(ids.values())
    ids |= {f"[unused{index}]": index for index in range(SIZE) if index not in named}
    return dict(sorted(ids.items(), key=lambda item: item[1]))


def fresh_tokenizer(longest: int) -> BertTokenizer:
    """A word-level BertTokenizer; texts are cut at `longest` tokens only when asked to."""
    return BertTokenizer(vocab=word_ids(), do_lower_case=True, model_max_length=longest)
