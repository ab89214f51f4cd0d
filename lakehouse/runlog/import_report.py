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

    def with_next(self, other: "ImportReport") -> "ImportReport":
        """The report of this import and of the one after it."""
        rows = [report.catalogue_rows for report in (self, other) if report.catalogue_rows is not None]
        return ImportReport(
            verdicts=self.verdicts | other.verdicts,
            new_plays=self.new_plays + other.new_plays,
            removed_demo=self.removed_demo or other.removed_demo,
            catalogue_rows=rows[-1] if rows else None,
            new_features=self.new_features + other.new_features,
            ignored=self.ignored + other.ignored,
            warnings=self.warnings + other.warnings,
            errors=self.errors + other.errors,
        )
