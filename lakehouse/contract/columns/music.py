"""Columns of tracks and their audio features."""

TEXT = """
# The 12 audio features, in their fixed order; they describe the track, not the listener; null when unknown
danceability            double  0..1     How well the track suits dancing; null (bronze: 0) if analysis failed
energy                  double  0..1     How intense and active the track sounds
key                     int     0..11    Pitch class of the key, 0 = C, 1 = C sharp ... 11 = B; null when undetected
loudness                double  dBFS     Mean loudness; closer to 0 is louder
mode                    int     0/1      1 = major, 0 = minor
speechiness             double  0..1     Share of spoken word; null (bronze: 0) if analysis failed
acousticness            double  0..1     How likely the track is acoustic
instrumentalness        double  0..1     How likely the track has no vocals
liveness                double  0..1     How likely an audience is heard
valence                 double  0..1     Positivity of the track, not the listener; null (bronze: 0) if analysis failed
tempo                   double  BPM      Estimated tempo; null (bronze: 0) if analysis failed
time_signature          int     1..7     Estimated beats per bar; null (bronze: 0) if analysis failed
# Tracks
track_id                string  -        Spotify's 22-character track id; null where the short account export has none
track_key               string  -        Identifies a listened track: track_id, else its normalised artist and title
recording_key           string  -        Identifies a recording: the same for all its releases
name_key                string  -        Normalised first artist and title; equal for releases of one recording
matched_track_id        string  -        Catalogue track whose features were taken, null without a match
isrc                    string  -        International Standard Recording Code, null when unknown
track_name              string  -        Title of the track
artist_name             string  -        First artist of the track or its album
artists                 string  -        All artists as the catalogue gives them, separated by ';'
first_artist            string  -        First of the track's artists
album_name              string  -        Title of the album
track_genre             string  -        Catalogue genre; of several the first in the file; null when not in it
track_genres             string  -        All catalogue genres of the track, separated by ';'
popularity              int     0..100   Spotify's popularity of the track when the catalogue was made
explicit                boolean -        Whether the track has explicit lyrics
duration_ms             bigint  ms       Length of the track, null when unknown; in ops: time a table build took
spotify_url             string  -        Link that opens the track in Spotify
provider                string  -        Service that delivered the audio features
feature_source          string  -        spotify, reccobeats, kaggle, kaggle_recording, imputed_artist, synthetic, none
valence_lower_90        double  0..1     Lower end of the 90 % interval of an imputed or expected valence, else null
valence_upper_90        double  0..1     Upper end of the 90 % interval of an imputed or expected valence, else null
energy_lower_90         double  0..1     Lower end of the 90 % interval of an imputed or expected energy, else null
energy_upper_90         double  0..1     Upper end of the 90 % interval of an imputed or expected energy, else null
danceability_lower_90   double  0..1     Lower end of the 90 % interval of an imputed danceability, else null
danceability_upper_90   double  0..1     Upper end of the 90 % interval of an imputed danceability, else null
artist_tracks           double  tracks   Catalogue recordings that an estimate rests on; as a guest, one counts half
"""
