"""How many plays a figure needs."""

# Below this many measured plays nothing is said of an hour, a segment or a listener: a mean of fewer is chance.
ENOUGH_PLAYS = 20
