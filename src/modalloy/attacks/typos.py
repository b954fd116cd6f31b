"""Changes of one word, or of one place in a text, that a reader hardly notices: the label stays.

No word is put in another's place: synonyms depend on the trade, and no list of them is ours. Words
with a digit stay as they are, because part numbers and amounts carry the meaning.
"""

from collections.abc import Sequence

NEAR = {  # on a keyboard, row by row
    letter: row[max(i - 1, 0) : i] + row[i + 1 : i + 2]
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for i, letter in enumerate(row)
}
# Words that a text may lose without another meaning; none that denies or counts.
SPARE = frozenset(
    ("a", "an", "the", "of", "at", "on", "in", "to", "by", "for", "is", "was", "are", "were", "be",
     "been", "it", "its", "this", "that")
)  # fmt: skip
SHORT = 3  # letters up to which a word has no typo


def typos(word: str) -> list[str]:
    """The word with one character changed: two swapped, one left out, doubled, mistyped beside its
    key, or in the other case. First and last letter keep their places.
    """
    if not word or any(c.isdigit() for c in word):
        return []
    found = [word[0].swapcase() + word[1:]]
    if len(word) > SHORT:
        inside = range(1, len(word) - 1)
        found += [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in inside[:-1]]
        found += [word[:i] + word[i + 1 :] for i in inside]
        found += [word[:i] + word[i] + word[i:] for i in inside]
        found += [
            word[:i] + near + word[i + 1 :]
            for i in inside
            for near in NEAR.get(word[i].lower(), "")
        ]
    return [other for other in dict.fromkeys(found) if other != word]


def rewritten(words: Sequence[str], at: int) -> list[list[str]]:
    """The words with one of them changed: by a typo, in capitals or small letters, left out where
    it is spare, or after its neighbour.
    """
    word, before, after = words[at], list(words[:at]), list(words[at + 1 :])
    found = [[*before, other, *after] for other in typos(word)]
    if any(c.isalpha() for c in word) and not any(c.isdigit() for c in word):
        found += [[*before, w, *after] for w in (word.upper(), word.lower()) if w != word]
    if word.lower() in SPARE and len(words) > 1:
        found.append([*before, *after])
    if after and after[0] != word:
        found.append([*before, after[0], word, *after[1:]])
    return found
