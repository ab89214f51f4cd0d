"""When are two tracks the same recording? Normalised names, written as Spark expressions.

The rules follow what releases really differ in: case, accents, punctuation, featured guests, and labels of a release
such as "- Remastered 2011" or "(Deluxe Edition)". Remixes, live and acoustic versions are other recordings.
"""

import sys
import unicodedata
from functools import cache

from pyspark.sql import Column
from pyspark.sql import functions as F

ARTIST_SEPARATOR = ";"
NAME_SEPARATOR = " | "

# What a release adds to a title after " - " or in brackets without being another recording.
_RELEASE_LABEL = (
    r"(?:(?:\d{4}\s+)?(?:digital(?:ly)?\s+)?re-?master(?:ed)?(?:\s+version)?(?:\s+\d{4})?(?:\s+version)?"
    r"|from\s.+|mono|stereo|(?:mono|stereo|single|album|original)\s+(?:version|mix)|radio\s+edit|single\s+edit"
    r"|bonus(?:\s+track)?(?:\s+version)?|deluxe(?:\s+(?:edition|version))?|explicit)"
)
_GUESTS = r"(?:feat\.?|ft\.?|featuring|with)\s.+"
_BRACKETED = rf"[(\[]\s*(?:{_GUESTS}|{_RELEASE_LABEL})\s*[)\]]"
_DASHED = rf"\s+-\s+(?:{_GUESTS}|{_RELEASE_LABEL})\s*$"
_GUESTS_AT_END = r"\s+(?:feat\.?|ft\.)\s.+$"


def name_key(artist: Column, title: Column) -> Column:
    """Normalised first artist and title; null where either is null or blank.

    Args:
        artist: one artist, or several separated by ';', of which the first counts.
        title: the track's title.
    """
    first_artist = normalised(F.substring_index(artist, ARTIST_SEPARATOR, 1))
    plain_title = F.lower(title)
    for pattern in (_BRACKETED, _DASHED, _GUESTS_AT_END):
        plain_title = F.regexp_replace(plain_title, pattern, "")
    # A title that is nothing but a label, such as "Explicit", stays as it is.
    key = F.concat(first_artist, F.lit(NAME_SEPARATOR), F.coalesce(normalised(plain_title), normalised(title)))
    return key


def normalised(name: Column) -> Column:
    """Lower case, without accents and punctuation, single blanks; null where nothing is left.

    A name of punctuation alone ("???") keeps its characters, so that such names stay apart.
    """
    plain = F.lower(F.translate(name, *_unaccented()))
    plain = F.regexp_replace(F.replace(plain, F.lit("ß"), F.lit("ss")), r"\p{M}", "")
    words = F.trim(F.regexp_replace(F.replace(plain, F.lit("&"), F.lit(" and ")), r"[^\p{L}\p{N}]+", " "))
    trimmed = F.trim(plain)
    return F.coalesce(F.nullif(words, F.lit("")), F.nullif(trimmed, F.lit("")))


@cache
def _unaccented() -> tuple[str, str]:
    """Characters whose compatibility decomposition is one letter with marks, and that letter (Unicode NFKD)."""
    accented, plain = [], []
    for code in range(0x80, min(sys.maxunicode, 0xFFFF) + 1):
        character = chr(code)
        base = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
        if len(base) == 1 and base != character and not 0xAC00 <= code <= 0xD7A3:
            accented.append(character)
            plain.append(base)
    return "".join(accented), "".join(plain)
