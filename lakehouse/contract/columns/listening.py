"""Columns of plays, their time, their mood, and counts and averages over them."""

TEXT = """
# Plays and time: "local" is the listener's time zone
listener                string  -        Whose plays the row is about; '*': it holds for every listener
other_listener          string  -        Whom the listener is compared with
play_id                 string  -        SHA-256 of source, played_at, track_id (or artist and title) and ms_played
played_at               timestamp UTC    When playing stopped, as Spotify reports it
played_at_local         timestamp_ntz local When playing stopped, as local wall-clock time
started_at              timestamp UTC    Start of the play (null when ms_played is unknown) or of the run
ms_played               bigint  ms       How long the track played, null when unknown (the Web API gives none)
reason_start            string  -        Why playing started, in Spotify's words; null when not delivered
reason_end              string  -        Why playing stopped, in Spotify's words; null when not delivered
skipped                 boolean -        Whether Spotify calls the play skipped; null when not delivered
shuffle                 boolean -        Whether shuffle was on; null when not delivered
offline                 boolean -        Whether the play was offline; null when not delivered
incognito               boolean -        Whether the play was in a private session; null when not delivered
platform                string  -        Device or system that played, in Spotify's words; null when not delivered
source                  string  -        Origin: 'spotify_api', 'extended_history', 'account_history' or 'demo'
session_id              bigint  s        Unix time of the session's first played_at; a 30-minute gap starts a new one
date                    date    -        Local date
hour_of_day             int     hour     Local hour, 0 to 23
day_of_week             int     -        Local weekday, 0 = Sunday ... 6 = Saturday
day_name                string  -        Name of the local weekday, in English
is_weekend              boolean -        Whether the local date is a Saturday or Sunday
part_of_day             string  -        By local hour: morning 06-11, afternoon 12-17, evening 18-22, night 23-05
period                  string  -        'Weekday' or 'Weekend', by local date
# Moods of the music, from valence and energy (high from 0.6, low below 0.4)
mood_category           string  -        Happy/Sad (valence) & Energetic/Calm (energy), else Neutral; null: not measured
next_mood_category      string  -        Mood category of the next play in the session
mood_label              int     0..4     0 Happy & Energetic, 1 Happy & Calm, 2 Sad & Energetic, 3 Sad & Calm, 4 Neutral
rank_in_category        int     -        Rank within the mood category, 1 = most played
mood_state              string  -        Mood of the music at this hour, in words
shift_magnitude         string  -        By the larger change of valence or energy: Stable, Minor_Shift or Major_Shift
shift_count             bigint  shifts   Pairs of consecutive measured plays of a session with this magnitude
shift_probability       double  0..1     Share of the hour's shifts that have this magnitude
avg_valence_change      double  -1..1    Mean change of valence from one play to the next in the session
avg_energy_change       double  -1..1    Mean change of energy from one play to the next in the session
# Counts and averages over the plays of a row; averages ignore nulls
play_count              bigint  plays    Counted plays that the row rests on; 0 for a track never played
featured_play_count     bigint  plays    Plays whose audio features are known, imputed or synthetic
total_plays             bigint  plays    Counted plays of the hour, date or period
total_listens           bigint  plays    Counted plays of the segment
weekend_plays           bigint  plays    Counted plays on a Saturday or Sunday
low_mood_count          bigint  plays    Plays of music with valence below 0.4
known_plays             bigint  plays    Plays for which the value of the row's audio feature is known
low_plays               bigint  plays    Plays whose value of the row's audio feature is below 0.4; null for tempo
high_plays              bigint  plays    Plays whose value of the row's audio feature is at least 0.6; null for tempo
value_sum               double  -        Sum of the feature's values over the plays, null where none is known
square_sum              double  -        Sum of their squared deviations from their mean, null where none is known
plays_per_day           double  plays/day Counted plays per calendar date of the period, dates without plays included
total_plays_7d          double  plays    Counted plays of the 7 local dates that end here
minutes_played          double  minutes  Playing time, as far as ms_played is known
distinct_tracks         bigint  tracks   Different tracks played
distinct_artists        bigint  artists  Different artists played
new_tracks              bigint  tracks   Tracks played for the first time in the history
track_count             bigint  tracks   Different tracks behind the plays of the row
record_count            bigint  rows     Plays with this feature source; in ops: records with this verdict
percentage              double  %        Share of all counted plays, 0 to 100
avg_valence             double  0..1     Mean valence of the row's plays with features (unplayed: of the track)
measured_valence        double  0..1     Mean valence of the measured plays, which spread, interval and test are about
avg_energy              double  0..1     Mean energy of the row's plays with features (unplayed: of the track)
avg_danceability        double  0..1     Mean danceability of the row's plays with features (unplayed: of the track)
avg_acousticness        double  0..1     Mean acousticness of the row's plays with features
avg_instrumentalness    double  0..1     Mean instrumentalness of the row's plays with features
avg_tempo               double  BPM      Mean tempo of the row's plays with features
avg_valence_7d          double  0..1     Mean valence of the featured plays of the 7 local dates that end here
avg_energy_7d           double  0..1     Mean energy of the featured plays of the 7 local dates that end here
overall_valence         double  0..1     Mean valence of the segment's featured plays
overall_energy          double  0..1     Mean energy of the segment's featured plays
overall_danceability    double  0..1     Mean danceability of the segment's featured plays
overall_acousticness    double  0..1     Mean acousticness of the segment's featured plays
"""
