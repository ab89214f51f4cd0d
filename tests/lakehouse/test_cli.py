"""The command line as a user meets it: a process with output and an exit code."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.spotify_server import SpotifyServer, play_item

# Run by a test of their own, against a server in Spotify's place.
WEB_API_COMMANDS = ("auth", "poll", "features")
LAKEHOUSE = Path(sys.executable).with_name("lakehouse")
ROOT = Path(__file__).parents[2]


def lakehouse(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing of the caller's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [str(LAKEHOUSE), *arguments],
        cwd=folder, env=kept | {"COLUMNS": "120"} | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_help_teaches(tmp_path: Path) -> None:
    answer = lakehouse(tmp_path, "--help")
    assert answer.returncode == 0
    assert "lakehouse import" in answer.stdout


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "import",
        "catalogue",
        "auth",
        "poll",
        "features",
        "status",
        "check",
        "maintain",
        "backup",
        "restore",
        "demo-data",
        "docs",
    ],
)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    answer = lakehouse(tmp_path, command, "--help")
    assert answer.returncode == 0
    assert len(answer.stdout.splitlines()) > 5


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["nonsense"], {}, "No such command"),
        (["import"], {}, "Missing argument"),
        (["import", "nowhere.zip"], {}, "nowhere.zip: no such file"),
        (["catalogue", "nowhere.csv"], {}, "nowhere.csv: no such file"),
        (["status"], {"LISTENER_TIME_ZONE": "Mars/Olympus"}, "LISTENER_TIME_ZONE='Mars/Olympus'"),
        (["status"], {"LAKE_URI": "ftp://somewhere"}, "LAKE_URI"),
        (["demo-data", "/dev/null"], {}, "cannot write the demo data"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    answer = lakehouse(tmp_path, *arguments, **environment)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_status_of_an_empty_lake_says_what_to_do(tmp_path: Path) -> None:
    answer = lakehouse(tmp_path, "status")
    assert answer.returncode == 0
    assert "lakehouse import" in answer.stdout
    assert "LISTENER_TIME_ZONE" in answer.stdout


def test_catalogue_without_network_says_how_to_get_it_by_hand(tmp_path: Path) -> None:
    answer = lakehouse(tmp_path, "catalogue", HTTPS_PROXY="http://127.0.0.1:9", KAGGLEHUB_CACHE=str(tmp_path))
    assert answer.returncode == 1
    assert "By hand: download the dataset" in answer.stderr
    assert "Traceback" not in answer.stderr


def shell_lines(markdown: Path) -> list[str]:
    """The commands in a document's ```sh blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", markdown.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_make_targets_of_the_readme_exist() -> None:
    targets = [line.split()[1] for line in shell_lines(ROOT / "README.md") if line.startswith("make ")]
    assert targets
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_lakehouse_commands_of_the_readme_work_in_their_order(tmp_path: Path) -> None:
    """On the demo files in place of the user's; the second import adds nothing."""
    assert lakehouse(tmp_path, "demo-data", ".").returncode == 0
    demo_files = {"dataset.csv": "demo_tracks.csv", "my_spotify_data.zip": "demo_my_spotify_data.zip"}
    commands = [
        [demo_files.get(word, word) for word in line.split()[1:]]
        for line in shell_lines(ROOT / "README.md")
        if line.startswith("lakehouse ") and line.split()[1] not in WEB_API_COMMANDS
    ]
    assert [command[0] for command in commands] == ["catalogue", "import", "run", "status"]
    answers = {}
    for command in commands:
        answers[command[0]] = lakehouse(tmp_path, *command)
        assert answers[command[0]].returncode == 0, answers[command[0]].stderr
    assert "feature_source_coverage" in answers["run"].stdout
    assert "100.0 %" in answers["status"].stdout
    again = lakehouse(tmp_path, "import", demo_files["my_spotify_data.zip"])
    assert "nothing new: 0 plays were added" in again.stdout
    assert lakehouse(tmp_path, "check").returncode == 0
    assert "no news" in lakehouse(tmp_path, "run").stdout


def test_web_api_commands_of_the_readme_work_in_their_order(spotify: SpotifyServer, tmp_path: Path) -> None:
    """Spotify, the browser and the wish to end it are the test's."""
    settings = spotify.settings() | {"SPOTIFY_REDIRECT_URI": f"http://127.0.0.1:{free_port()}/callback"}
    spotify.plays = [play_item(datetime.now(UTC))]
    lines = [line for line in shell_lines(ROOT / "README.md") if line.split()[1] in (*WEB_API_COMMANDS, "-m")]
    assert lines == ["lakehouse auth", "lakehouse auth --status", "lakehouse poll", "lakehouse features",
                     "python -m scheduler", "python -m scheduler health"]  # fmt: skip
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = kept | {"COLUMNS": "120", "PATH": f"{LAKEHOUSE.parent}:{kept['PATH']}"} | settings

    def start(line: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            line.split(), cwd=tmp_path, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    login = start(f"{lines[0]} --no-browser")
    assert login.stdout
    address = next(line.strip() for line in login.stdout if "/authorize?" in line)
    told, _ = login.communicate(f"{spotify.agree(address)}\n", timeout=60)
    assert "account   A Listener (listener-1)" in told
    (tmp_path / "data" / "import").mkdir(parents=True)
    for line, expected in zip(lines[1:4], ("scopes    user-read", "1 new plays", "0 of 0 tracks have"), strict=True):
        told, _ = (command := start(line)).communicate(timeout=120)
        assert expected in told
        assert command.returncode == 0
    scheduler = start(lines[4])
    while "the scheduler is at work" not in start(lines[5]).communicate(timeout=60)[0]:
        assert scheduler.poll() is None
    scheduler.terminate()
    assert "scheduler started" in scheduler.communicate(timeout=30)[0]
    assert scheduler.returncode == 0
