"""A lock for whatever parses Python in threads that build tables.

Python 3.11 counts the depth of a syntax tree for all threads together, and fails when two parse at once ("AST
constructor recursion depth mismatch"). Fingerprints parse modules; numpy parses the header of each stored array.
"""

from threading import Lock

ONE_PARSER = Lock()
