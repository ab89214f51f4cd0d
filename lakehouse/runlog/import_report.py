"""What an import did: filled by bronze, printed by the command line."""

from dataclasses import dataclass, field


@dataclass
class ImportReport:
    """What an import did.

    Attributes:
        verdicts: records by file and verdict; they add up to all records of the files.
        new_plays: rows added to bronze.
        removed_demo: whether demo data made way for real data.
        catalogue_rows: rows of the imported catalogue; 0 where the lake has that file already, None for none.
        new_features: tracks whose fetched audio features were added.
        ignored: files that are not a listening history.
        warnings: one line per file that was imported and may be a mistake.
        errors: one line per file that was refused.
    """

    verdicts: dict[str, dict[str, int]] = field(default_factory=dict)
    new_plays: int = 0
    removed_demo: bool = False
    catalogue_rows: int | None = None
    new_features: int = 0
    ignored: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
