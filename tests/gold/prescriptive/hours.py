"""Made-up music of one hour."""

from typing import Any

from tests.support.frames import play


def music_at(hour: int, valence: float, count: int = 24, label: str = "", **values: Any) -> list[dict[str, Any]]:
    """Plays of as many recordings, on 8 dates, whose valence varies a little around the mean."""
    return [
        play(
            f"2026-01-{1 + i % 8:02d} {hour:02d}:{i:02d}:00",
            track_id=f"{label}{hour}-{i}",
            valence=round(valence + (0.01 if i % 2 else -0.01), 6),
            **values,
        )
        for i in range(count)
    ]
