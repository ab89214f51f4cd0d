"""When are two tracks the same recording? Normalised names, written as Spark expressions.

The rules follow what releases really differ in: case, accents, punctuation, featured guests, and labels of a release
such as "- Remastered 2011" or "(Deluxe Edition)". Remixes, live and acoustic versions are other recordings.
"""

import unicodedata
from functools import cache, reduce
from itertools import chain

from pyspark.sql import Column
from pyspark.sql import functions as F

ARTIST_SEPARATOR = ";"
NAME_SEPARATOR = " | "

# Labels of a release, after " - " or in brackets, that do not make another recording.
_REMASTER = (
    r"(?:\d{4}\s+(?:-\s+)?)?(?:digital(?:ly)?\s+)?(?:(?:mono|stereo)\s+)?"
    r"re-?master(?:ed)?(?:\s+version)?(?:\s+\d{4})?(?:\s+version)?"
)
_LABEL = (
    rf"(?:{_REMASTER}|mono|stereo|(?:mono|stereo|single|album|original)\s+(?:version|mix)|radio\s+edit|single\s+edit"
    r"|bonus(?:\s+track)?(?:\s+version)?|deluxe(?:\s+(?:edition|version))?|explicit(?:\s+version)?)"
)
_LABELS = rf"{_LABEL}(?:\s*[/,-]\s*{_LABEL})*"
# A guest or a film may be named together with a label that does make another recording: "(feat. A - Live)".
_OTHER_RECORDING = r"\b(?:live|remix|acoustic|unplugged|demo|instrumental|karaoke)\b"
_INSIDE = r"[^()\[\]]"
_GUESTS_OR_ORIGIN = rf"(?:feat\.?|ft\.?|featuring|with|from)\s(?!{_INSIDE}*{_OTHER_RECORDING}){_INSIDE}+"
_BRACKETED = rf"[(\[]\s*(?:{_LABELS}|{_GUESTS_OR_ORIGIN})\s*[)\]]"
_DASHED = rf"(?:\s+-\s+{_LABELS})+\s*$|\s+-\s+from\s(?!.*{_OTHER_RECORDING}).+$"
# Guests without brackets end where another label begins: "Title feat. A - Live".
_LOOSE_GUESTS = r"\s+(?:(?:feat\.?|ft\.|featuring)|-\s+with)\s.+?(?=\s+-\s|\s*[(\[]|$)"

# Lower-case characters that stand for several letters and occur in names. Greek sigma has a form for word ends.
_SPELLED_OUT = {"ß": "ss", "ﬁ": "fi", "ﬂ": "fl", "ⅱ": "ii", "ⅲ": "iii"}
_ONE_LETTER = {"ς": "σ", **dict.fromkeys("‐‑‒–—―−", "-")}
# Ranges of characters that are decomposed or dropped, without Hangul syllables; the last ones hold invisible ones.
_DECOMPOSED = (range(0x80, 0xAC00), range(0xD7A4, 0x2FA20), range(0xE0000, 0xE01F0))
_VARIANTS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x034F, 0x0350))


def name_key(artist: Column, title: Column) -> Column:
    """Normalised first artist and title; null where either is null or blank.

    Args:
        artist: one artist, or several separated by ';', of which the first counts.
        title: the track's title.
    """
    first_artist = normalised(F.substring_index(artist, ARTIST_SEPARATOR, 1))
    plain = _plain(title)
    bare = reduce(lambda name, label: F.regexp_replace(name, label, ""), (_BRACKETED, _LOOSE_GUESTS, _DASHED), plain)
    # A title that consists of a label alone, such as "Explicit", stays as it is.
    return F.concat(first_artist, F.lit(NAME_SEPARATOR), F.coalesce(_words(bare), _words(plain)))


def normalised(name: Column) -> Column:
    """Lower case, without accents and punctuation, single blanks; null where nothing is left.

    A name of punctuation alone ("???") keeps its characters, so that such names stay apart.
    """
    return _words(_plain(name))


def _plain(name: Column) -> Column:
    """Lower case, without accents and invisible characters; compatibility forms become what they stand for."""
    letters = F.translate(F.lower(name), *_plain_letters())
    return reduce(lambda text, item: F.replace(text, *map(F.lit, item)), _SPELLED_OUT.items(), letters)


def _words(plain: Column) -> Column:
    words = F.trim(F.regexp_replace(F.replace(plain, F.lit("&"), F.lit(" and ")), r"[^\p{L}\p{M}\p{N}]+", " "))
    with_punctuation = F.trim(F.regexp_replace(plain, r"[\s\p{Z}\p{Cc}]+", " "))
    return F.coalesce(F.nullif(words, F.lit("")), F.nullif(with_punctuation, F.lit("")))


@cache
def _plain_letters() -> tuple[str, str]:
    """Arguments of `translate`: characters with what they stand for (Unicode NFKD), then the ones that are dropped.

    Dropped are accents and invisible characters. Vowel signs of Indian and Thai scripts are not accents: they stay.
    """
    plain = dict(_ONE_LETTER)
    dropped = []
    for character in map(chr, chain.from_iterable(_DECOMPOSED)):
        if character in _SPELLED_OUT:
            continue
        base = "".join(part for part in unicodedata.normalize("NFKD", character) if not _is_accent(part))
        if not base:
            dropped.append(character)
        elif base != character and len(base.lower()) == 1:
            plain.setdefault(character, base.lower())
    return "".join([*plain, *dropped]), "".join(plain.values())


def _is_accent(character: str) -> bool:
    """Whether a character only marks or joins others: accents, enclosing marks, variants, zero-width characters."""
    kind = unicodedata.category(character)
    is_variant = any(ord(character) in variants for variants in _VARIANTS)
    return unicodedata.combining(character) > 0 or kind in ("Me", "Cf") or is_variant
