"""The README's own commands, run in their order on the demo files in place of the user's; makes the demo lake."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.command_line import lakehouse

README = Path(__file__).parents[2] / "README.md"
# Run by a test of their own, against a server in Spotify's place.
WEB_API_COMMANDS = ("auth", "poll", "features")
DEMO_FILES = {"dataset.csv": "demo_tracks.csv", "my_spotify_data.zip": "demo_my_spotify_data.zip"}
AFTERWARDS = (["import", DEMO_FILES["my_spotify_data.zip"]], ["check"], ["run"])
ANSWERS = "answers.json"


@dataclass(frozen=True)
class Answer:
    """What one command answered."""

    command: list[str]
    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class ReadmeRun:
    """A folder in which the README's commands were run."""

    folder: Path

    def answers(self) -> list[Answer]:
        """Of every command, in their order; after the README's own those that AFTERWARDS adds."""
        return [Answer(**answer) for answer in json.loads((self.folder / ANSWERS).read_text())]

    def require_success(self) -> None:
        """Tell what the first failed command said."""
        for answer in self.answers():
            assert answer.code == 0, (answer.command, answer.errors)


def run_readme(folder: Path) -> None:
    """Run the commands in an empty folder and keep what they answer."""
    commands = [["demo-data", "."], *readme_commands(), *AFTERWARDS]
    answers = []
    for command in commands:
        done = lakehouse(folder, *command)
        answers.append(asdict(Answer(command, done.returncode, done.stdout, done.stderr)))
    (folder / ANSWERS).write_text(json.dumps(answers))


def readme_commands() -> list[list[str]]:
    """The README's commands on one's own listening, on the demo files."""
    return [
        [DEMO_FILES.get(word, word) for word in line.split()[1:]]
        for line in shell_lines(README)
        if line.startswith("lakehouse ") and line.split()[1] not in WEB_API_COMMANDS
    ]


def shell_lines(markdown: Path) -> list[str]:
    """The commands in a document's ```sh blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", markdown.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
