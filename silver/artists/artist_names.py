"""How artists are credited and spelled, in pandas; for Spark see `recording_key`."""

import re
import unicodedata
from functools import lru_cache

from silver.rules.recording_key import ARTIST_SEPARATOR


@lru_cache(maxsize=200_000)
def artist_key(name: str) -> str:
    r"""Normalise an artist's name: accents, case and punctuation do not matter.

    >>> artist_key("Beyonc\u00e9"), artist_key("AC/DC"), artist_key("Simon & Garfunkel"), artist_key("!!!")
    ('beyonce', 'ac dc', 'simon and garfunkel', '!!!')
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(char for char in decomposed if not unicodedata.combining(char)).replace("&", " and ")
    return re.sub(r"[\W_]+", " ", letters).strip() or letters.strip()


def split_names(value: object, separator: str) -> list[str]:
    """Names in a joined string, without blanks around them; null gives none."""
    if not isinstance(value, str):
        return []
    return [name for name in (part.strip() for part in value.split(separator)) if name]


def credited_artists(artists: object) -> list[str]:
    """Artists of a track as the catalogue joins them, the main one first; null gives none.

    >>> credited_artists("Ingrid Michaelson;ZAYN")
    ['Ingrid Michaelson', 'ZAYN']
    """
    return split_names(artists, ARTIST_SEPARATOR)


def first_artist_key(artists: object) -> str:
    r"""The key of the artist credited first, '' without one.

    >>> first_artist_key("Beyonc\u00e9;JAY-Z"), first_artist_key(None)
    ('beyonce', '')
    """
    return next(map(artist_key, credited_artists(artists)), "")
