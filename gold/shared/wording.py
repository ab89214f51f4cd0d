"""Numbers in sentences. Values are first rounded to 9 digits, so that texts do not depend on the order of summation."""

from pyspark.sql import Column
from pyspark.sql import functions as F

DIGITS = 9
UNKNOWN = "unknown"
# With fewer measured plays nothing is said about an hour, a segment or a listener: their mean is mostly chance.
ENOUGH_PLAYS = 20


def rounded(value: Column) -> Column:
    """The value without the noise of the order of summation; compare this with thresholds."""
    return F.round(value, DIGITS)


def number(value: Column, digits: int = 2) -> Column:
    """The value with this many decimals: '0.62'."""
    return F.when(value.isNull(), UNKNOWN).otherwise(F.format_string(f"%.{digits}f", rounded(value)))


def percent(share: Column) -> Column:
    """A share as a whole percentage: '62 %'."""
    return F.concat(number(share * 100, digits=0), F.lit(" %"))


def comparison(difference: Column) -> Column:
    """A difference in words: '0.08 above', '0.08 below' or 'level with'; what it is compared with follows."""
    size = F.round(rounded(difference), 2)
    return (
        F.when(difference.isNull(), "not comparable with")
        .when(size == 0, "level with")
        .otherwise(F.concat(number(F.abs(size)), F.when(size > 0, " above").otherwise(" below")))
    )


def sentence(template: str, *values: Column) -> Column:
    """The template with a value in place of each '%s'."""
    return F.format_string(template, *values)
