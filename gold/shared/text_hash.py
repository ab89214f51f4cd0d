"""Hashes of texts that are only counted or joined: 8 bytes to compare and to shuffle instead of a name."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def text_hash(text: Column) -> Column:
    """The text's hash, null for null.

    Among three million texts, the probability that any two share a hash is one in four million.
    """
    return F.when(text.isNotNull(), F.xxhash64(text))
