"""What the demo data promises, measured in the files themselves: counts, form, and every planted truth."""

import json
import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.demo.data import CSV_HEADER, DemoFiles, write_demo_data
from pipeline.demo.parameters import load_parameters
from tests.pipeline.demo.exports import measured_plays, plain, read_catalogue, read_plays, read_records

PARAMETERS = load_parameters()
FEATURES: list[str] = PARAMETERS["features"]["names"]
OTHER_SEED = 7


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo_data(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def catalogue(demo: DemoFiles) -> pd.DataFrame:
    return read_catalogue(demo.catalogue)


@pytest.fixture(scope="module")
def records(demo: DemoFiles) -> pd.DataFrame:
    """Every record of the zip in the order of its files, with file name and verdict."""
    return read_records(demo.history)


@pytest.fixture(scope="module")
def plays(records: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    return read_plays(records, catalogue, PARAMETERS)


@pytest.fixture(scope="module")
def measured(plays: pd.DataFrame) -> pd.DataFrame:
    return measured_plays(plays, PARAMETERS["moods"]["names"])


def all_ids(records: pd.DataFrame) -> list[str]:
    columns = ["spotify_track_uri", "spotify_episode_uri", "audiobook_uri", "audiobook_chapter_uri"]
    return [uri.split(":")[2] for column in columns for uri in records[column].dropna()]


# ---- counts


def test_there_are_exactly_1504_distinct_counted_plays(records: pd.DataFrame) -> None:
    counted = records[records.verdict == "counted"]
    assert len(counted.drop_duplicates(["ts", "spotify_track_uri", "ms_played"])) == len(counted) == 1504


def test_another_seed_gives_as_many_counted_plays(tmp_path: Path) -> None:
    history = write_demo_data(tmp_path, seed=OTHER_SEED).history
    assert (read_records(history).verdict == "counted").sum() == 1504


def test_every_other_verdict_occurs_as_often_as_planted(records: pd.DataFrame) -> None:
    counts, planted = Counter(records.verdict), PARAMETERS["records"]
    assert counts["podcast"] == planted["podcast_episodes"] + planted["video_episodes"]
    assert counts["audiobook"] == planted["audiobook_chapters"]
    assert counts["no_track"] == planted["without_track"]
    assert counts["duplicate"] == planted["repeated_records"]
    assert counts["too_short"] == pytest.approx(1504 * planted["skips_per_play"], rel=0.1)


def test_duplicates_repeat_a_counted_play_of_the_file_before(records: pd.DataFrame) -> None:
    key = ["ts", "spotify_track_uri", "ms_played"]
    again = records[records.verdict == "duplicate"].merge(records[records.verdict == "counted"], on=key)
    assert len(again) == PARAMETERS["records"]["repeated_records"]
    assert (again.file_x != again.file_y).all()


def test_skips_end_with_the_forward_button_and_say_so(records: pd.DataFrame) -> None:
    skips = records[records.verdict == "too_short"]
    assert set(skips.reason_end) == {"fwdbtn"}
    assert skips.skipped.astype(bool).all()


def test_shares_of_match_tiers_are_exact(plays: pd.DataFrame) -> None:
    shares = plays.tier.value_counts(normalize=True)
    for tier, share in PARAMETERS["listener"]["tiers"].items():
        assert shares[tier] == pytest.approx(share, abs=0.001)


def test_enough_distinct_tracks_are_measured(measured: pd.DataFrame) -> None:
    assert measured.catalogue_id.nunique() >= 120


def test_some_recordings_are_played_often(plays: pd.DataFrame) -> None:
    assert (plays.spotify_track_uri.value_counts() >= 10).sum() >= 5


# ---- form of the files


def test_equal_seeds_give_equal_bytes(demo: DemoFiles, tmp_path: Path) -> None:
    again = write_demo_data(tmp_path, seed=PARAMETERS["demo"]["default_seed"])
    assert again.catalogue.read_bytes() == demo.catalogue.read_bytes()
    assert again.history.read_bytes() == demo.history.read_bytes()


def test_other_seeds_give_other_plays(demo: DemoFiles, tmp_path: Path) -> None:
    assert write_demo_data(tmp_path, seed=OTHER_SEED).history.read_bytes() != demo.history.read_bytes()


def test_existing_files_are_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "demo_tracks.csv").write_text("old")
    files = write_demo_data(tmp_path)
    assert files.catalogue.read_text(encoding="utf-8").startswith(",track_id,")
    assert sorted(tmp_path.iterdir()) == sorted([files.catalogue, files.history])


def test_files_that_are_there_already_are_left_alone(tmp_path: Path) -> None:
    files = write_demo_data(tmp_path)
    before = [file.stat() for file in (files.catalogue, files.history)]
    write_demo_data(tmp_path)
    after = [file.stat() for file in (files.catalogue, files.history)]
    assert [(stat.st_ino, stat.st_mtime_ns) for stat in after] == [(stat.st_ino, stat.st_mtime_ns) for stat in before]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    assert write_demo_data(tmp_path / "a" / "b").history.is_file()


def test_a_file_in_place_of_the_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(NotADirectoryError, match="taken is a file"):
        write_demo_data(tmp_path / "taken")


def test_zip_holds_audio_and_video_files_in_the_demo_folder(demo: DemoFiles) -> None:
    assert zipfile.ZipFile(demo.history).namelist() == [
        "Demo Streaming History/demo_Streaming_History_Audio_2025-2026_1.json",
        "Demo Streaming History/demo_Streaming_History_Audio_2025-2026_2.json",
        "Demo Streaming History/demo_Streaming_History_Video_2025-2026.json",
    ]


def test_video_file_holds_music_videos_and_episodes(records: pd.DataFrame) -> None:
    verdicts = Counter(records[records.file.str.contains("Video")].verdict)
    assert verdicts == {
        "counted": PARAMETERS["records"]["music_videos"],
        "podcast": PARAMETERS["records"]["video_episodes"],
    }


def test_records_of_each_file_are_in_order_of_time(records: pd.DataFrame) -> None:
    assert all(file.ts.is_monotonic_increasing for _, file in records.groupby("file"))


def test_plays_lie_in_the_planted_window(plays: pd.DataFrame) -> None:
    assert plays["at"].min().date() >= PARAMETERS["listener"]["first_date"]
    assert plays["at"].max().date() <= PARAMETERS["listener"]["last_date"]


@pytest.mark.real_data
def test_csv_header_is_the_one_of_the_real_catalogue(real_data_dir: Path) -> None:
    real = pd.read_csv(real_data_dir / "kaggle_tracks_dataset.csv.gz", header=None, nrows=1, keep_default_na=False)
    assert tuple(real.iloc[0]) == CSV_HEADER


@pytest.mark.real_data
def test_records_have_the_keys_of_a_real_export_in_its_order(records: pd.DataFrame, real_data_dir: Path) -> None:
    with zipfile.ZipFile(real_data_dir / "spotify_extended_streaming_history.zip") as archive:
        real = json.loads(archive.read(archive.namelist()[0]))[0]
    ours = [key for key in records.columns if key not in ("ip_addr", "file", "verdict")]
    assert ours == list(real)  # the address was taken out of the published export


# ---- it cannot be mistaken for real data


def test_every_id_has_spotifys_form_and_says_demo(records: pd.DataFrame, catalogue: pd.DataFrame) -> None:
    ids = [*catalogue.track_id, *all_ids(records)]
    assert all(re.fullmatch(r"demo[0-9A-Za-z]{18}", given) for given in ids)


def test_addresses_come_from_the_documentation_range(records: pd.DataFrame) -> None:
    assert records.ip_addr.str.fullmatch(r"203\.0\.113\.\d{1,3}").all()


@pytest.mark.real_data
def test_no_artist_is_known_to_the_real_catalogue(
    catalogue: pd.DataFrame, plays: pd.DataFrame, real_data_dir: Path
) -> None:
    real = pd.read_csv(real_data_dir / "kaggle_tracks_dataset.csv.gz", usecols=["artists"]).artists.dropna()
    ours = {artist for names in catalogue.artists for artist in names.split(";") if artist}
    ours |= set(plays.master_metadata_album_artist_name)
    assert not {plain(artist) for artist in ours} & {plain(artist) for names in real for artist in names.split(";")}


# ---- the catalogue


def test_catalogue_is_large_enough_for_models(catalogue: pd.DataFrame) -> None:
    assert len(catalogue) >= 5200
    assert catalogue.track_id.nunique() >= 5000
    assert set(catalogue.track_genre) == set(PARAMETERS["genres"])


def test_ids_repeat_across_genres_and_some_within_one(catalogue: pd.DataFrame) -> None:
    planted = PARAMETERS["catalogue"]
    assert catalogue.duplicated(["track_id", "track_genre"]).sum() == planted["exact_repeats"]
    assert (catalogue.groupby("track_id").track_genre.nunique() > 1).sum() == planted["genre_repeats"]


def test_an_id_differs_between_its_rows_in_popularity_and_genre_only(catalogue: pd.DataFrame) -> None:
    fixed = catalogue.drop(columns=["Unnamed: 0", "popularity", "track_genre"])
    assert len(fixed.drop_duplicates()) == catalogue.track_id.nunique()


def test_one_row_has_no_names_and_no_length(catalogue: pd.DataFrame) -> None:
    nameless = catalogue[catalogue.track_name == ""]
    assert len(nameless) == PARAMETERS["catalogue"]["nameless_rows"]
    assert (nameless[["artists", "album_name"]] == "").all(axis=None)
    assert (nameless.duration_ms == 0).all()


def test_failed_analyses_are_zeros(catalogue: pd.DataFrame) -> None:
    planted, tracks = PARAMETERS["catalogue"], catalogue.drop_duplicates("track_id")
    all_zero = (tracks[planted["zero_when_missing"]] == 0).all(axis=1)
    assert all_zero.sum() >= planted["failed_analyses"]
    assert ((tracks.valence == 0) & ~all_zero).sum() >= planted["valence_only_failures"]


def test_no_play_lacks_a_feature_by_a_failed_analysis(measured: pd.DataFrame) -> None:
    assert (measured[["tempo", "danceability", "speechiness", "valence"]] > 0).all(axis=None)


def test_some_tracks_have_several_artists(catalogue: pd.DataFrame) -> None:
    share = catalogue.artists.str.contains(";").mean()
    assert share == pytest.approx(PARAMETERS["catalogue"]["second_artist_share"], abs=0.02)


def test_re_releases_share_first_artist_and_title(catalogue: pd.DataFrame) -> None:
    tracks = catalogue.drop_duplicates("track_id")
    recording = tracks.artists.str.split(";").str[0].map(plain) + "|" + tracks.track_name.map(plain)
    assert recording.duplicated().sum() == PARAMETERS["catalogue"]["re_releases"]


def test_audio_twins_sound_alike_under_another_title(catalogue: pd.DataFrame) -> None:
    tracks = catalogue[catalogue.tempo > 0].drop_duplicates("track_id")
    tracks = tracks.assign(title=tracks.track_name.map(plain))
    titles = tracks.groupby(FEATURES).title.nunique()
    assert (titles > 1).sum() == pytest.approx(PARAMETERS["catalogue"]["audio_twins"], abs=3)


def test_names_need_a_careful_csv_reader(demo: DemoFiles, catalogue: pd.DataFrame) -> None:
    text = demo.catalogue.read_text(encoding="utf-8")
    assert text.count('""') >= 50
    assert any("\\" in artist for artist in catalogue.artists)
    assert any("," in artist for artist in catalogue.artists)
    assert (~catalogue.track_name.map(str.isascii)).sum() >= 100


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("energy", "loudness", 0.78),
        ("energy", "acousticness", -0.73),
        ("loudness", "acousticness", -0.56),
        ("valence", "danceability", 0.47),
        ("valence", "energy", 0.22),
        ("valence", "instrumentalness", -0.31),
    ],
)
def test_features_go_together_as_real_ones_do(catalogue: pd.DataFrame, one: str, other: str, expected: float) -> None:
    tracks = catalogue[(catalogue.tempo > 0) & (catalogue.valence > 0)].drop_duplicates("track_id")
    assert tracks[one].corr(tracks[other]) == pytest.approx(expected, abs=0.05)


def test_features_are_within_their_ranges(catalogue: pd.DataFrame) -> None:
    units = [name for name in FEATURES if name not in ("loudness", "tempo")]
    assert ((catalogue[units] >= 0) & (catalogue[units] <= 1)).all(axis=None)
    assert catalogue.loudness.between(-60, 5).all()


@pytest.mark.parametrize("feature", ["valence", "energy"])
def test_an_artists_mean_is_informative(catalogue: pd.DataFrame, feature: str) -> None:
    tracks = catalogue[catalogue.valence > 0].drop_duplicates("track_id")
    within_genre = tracks[feature] - tracks.groupby("track_genre")[feature].transform("mean")
    halves = pd.DataFrame({"value": within_genre, "artist": tracks.artists.str.split(";").str[0]})
    halves["half"] = halves.groupby("artist").cumcount() % 2
    means = halves.pivot_table(index="artist", columns="half", values="value")
    assert means[0].corr(means[1]) >= 0.4


@pytest.mark.parametrize(("feature", "lowest", "highest"), [("valence", 0.20, 0.50), ("energy", 0.70, 0.85)])
def test_other_features_and_genre_explain_a_realistic_part(
    catalogue: pd.DataFrame, feature: str, lowest: float, highest: float
) -> None:
    tracks = catalogue[catalogue.valence > 0].drop_duplicates("track_id")
    inputs = pd.get_dummies(tracks[[*FEATURES, "track_genre"]].drop(columns=feature)).astype(float)
    design = np.column_stack([np.ones(len(inputs)), inputs])
    coefficients = np.linalg.lstsq(design, tracks[feature], rcond=None)[0]
    explained = 1 - np.var(tracks[feature] - design @ coefficients) / np.var(tracks[feature])
    assert lowest <= explained <= highest


# ---- planted truths of the listening; those of every listener are in test_listeners.py


def test_favourites_are_played_most(plays: pd.DataFrame) -> None:
    planted = list(PARAMETERS["listener"]["favourites"])
    most_played = plays.master_metadata_album_artist_name.value_counts().index
    assert list(most_played[:2]) == planted[:2]
    assert len(set(most_played[:10]) & set(planted)) >= 8
