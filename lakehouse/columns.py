"""The vocabulary: every column name of every table, defined once.

Naming rules (tests hold them): snake_case. The same quantity has the same name in every table; another, another name.
Suffixes: _ms milliseconds, _count and plays/tracks counts, _id, _key (made by us), _at UTC instant, _local wall-clock
time, _90 bound of a 90 % interval, _7d over 7 dates. Prefixes: is_/has_ booleans, avg_, total_, predicted_, expected_.
A line is: name, Spark SQL type, unit ("-" for none), meaning. Users see the meanings as column comments.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: Spark SQL type, unit ('' for none) and meaning."""

    name: str
    type: str
    unit: str
    meaning: str


_TEXT = """
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
# Plays and time: "local" is the listener's time zone
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
# Statistics, in the unit of the feature
feature_name            string  -        Audio feature the row is about
mean                    double  -        Mean of the feature over the plays
std_dev                 double  -        Standard deviation of the feature over the plays
min                     double  -        Smallest value among the plays
p25                     double  -        25th percentile: a quarter of the plays lie below
median                  double  -        50th percentile: half of the plays lie below
p75                     double  -        75th percentile: three quarters of the plays lie below
max                     double  -        Largest value among the plays
catalogue_mean          double  -        Mean of the feature over the Kaggle catalogue, to compare with
catalogue_std_dev       double  -        Standard deviation of the feature over the Kaggle catalogue
sample_size             bigint  plays    Measured plays: with features of the recording itself, not imputed or synthetic
valence_stddev          double  0..1     Standard deviation of valence over the measured plays, null below two
energy_stddev           double  0..1     Standard deviation of energy over the measured plays, null below two
valence_variability     double  0..1     Standard deviation of valence within the cluster
energy_variability      double  0..1     Standard deviation of energy of the cluster's or segment's measured plays
mood_variability        double  0..1     Standard deviation of valence of the segment's measured plays
valence_ci_low          double  0..1     Lower end of the 95 % interval of the measured plays' mean valence
valence_ci_high         double  0..1     Upper end of the 95 % interval of the measured plays' mean valence
valence_difference      double  -1..1    Mean valence at weekends minus on weekdays, the same on both rows
valence_p_value         double  0..1     Probability of so large a valence difference if there were none
valence_difference_ci_low double -1..1 Lower end of the 95 % interval of the measured plays' difference
valence_difference_ci_high double -1..1 Upper end of the 95 % interval of the measured plays' difference
feature1                string  -        First audio feature of the pair, in the fixed feature order
feature2                string  -        Second audio feature of the pair, in the fixed feature order
correlation             double  -1..1    Correlation of the two features over the listener's measured plays
catalogue_correlation   double  -1..1    Correlation of the two features over the Kaggle catalogue
strength                string  -        Strength of the correlation, in words
p_value                 double  0..1     Probability of so strong a link if there were none, for this row alone
top_driver              string  -        Audio feature that sets this part of day apart most from the others
driver_effect_size      double  SD       By how much, in standard deviations; negative is lower than at other times
driver_ci_low           double  SD       Lower end of its 95 % interval, widened for the choice among all features
driver_ci_high          double  SD       Upper end of its 95 % interval, widened for the choice among all features
# Models: trained on the Kaggle catalogue, scored on the listener's plays
predicted_valence       double  0..1     Valence that the model estimates for the play, or on average for the hour
predicted_energy        double  0..1     Energy that the model estimates from the track's other features
predicted_mood          string  -        Mood category that the model picks, rare ones favoured a little
predicted_mood_label    int     0..4     The same as a number, see mood_label
confidence              double  0..1     Probability that the model gives its predicted mood
mood_probability        double  0..1     Probability that the model gives the actual mood; log_loss is made of it
lower_90                double  0..1     Lower end of the prediction's 90 % interval
upper_90                double  0..1     Upper end of the prediction's 90 % interval
fold                    int     -        Fold the recording falls in; the model that scores it was trained without it
model_name              string  -        Name of the model; baselines are models of their own
model_type              string  -        Kind of model or baseline
model_version           string  -        Version of the saved model
training_approach       string  -        What the model was trained on and how, in words
evaluation              string  -        Data it was judged on; 'listener' = the listener's plays (headline)
segment                 string  -        Part of the data, such as 'per_play' (headline), 'overall', 'weekday morning'
train_size              bigint  rows     Rows the model was trained on
test_size               bigint  rows     Rows it was judged on
test_tracks             bigint  tracks   Different tracks among the rows it was judged on
r2                      double  -        Share of variance explained: 1 perfect, 0 like the test mean, below 0 worse
rmse                    double  -        Root mean squared error, in the unit of the target; null for classifiers
mae                     double  -        Mean absolute error, in the unit of the target; null for classifiers
accuracy                double  0..1     Share of correct classes; null for regressions
f1                      double  0..1     Macro F1, mean over the classes; null for regressions
log_loss                double  nats     Mean negative log probability of the true class, lower is better
ece                     double  0..1     Expected calibration error: how far confidence and accuracy lie apart
coverage_90             double  0..1     Share of true values within the 90 % intervals, 0.9 is as promised
skill                   double  -        Share of the training mean's error removed: 1 all, 0 none, below 0 worse
primary_metric          string  -        Metric that ci_low, ci_high and baseline_score belong to
ci_low                  double  -        Lower end of the 95 % confidence interval of the primary metric
ci_high                 double  -        Upper end of the 95 % confidence interval of the primary metric
baseline_score          double  -        Primary metric of the baseline on the same rows
beats_baseline          boolean -        Whether the model is better than the baseline; null when not comparable
note                    string  -        What to know about the row, such as why a figure is null
trained_at              timestamp UTC    When the model was trained
importance              double  -        Permutation importance: score lost when the feature is shuffled
importance_std          double  -        Standard deviation of that loss over the shuffles
horizon_days            int     days     Days ahead, 1 to 7
expected_valence        double  0..1     Valence expected for that date from the recent past
expected_energy         double  0..1     Energy expected for that date from the recent past
expected_plays          double  plays    Counted plays expected for that date from the recent past
plays_lower_90          double  plays    Lower end of the 90 % interval of the expected plays
plays_upper_90          double  plays    Upper end of the 90 % interval of the expected plays
method                  string  -        How the expectation or the judged list was made
skill_vs_seasonal_naive double  -        Backtest: share of the error of 'as 7 days before' removed, below 0 is worse
skill_vs_mean           double  -        Backtest: share of the error of 'the mean so far' removed, below 0 is worse
energy_skill_vs_seasonal_naive double - Backtest of the expected energy: the same against 'as 7 days before'
energy_skill_vs_mean double - Backtest of the expected energy: the same against 'the mean so far'
plays_skill_vs_seasonal_naive double - Backtest of the expected plays: the same against 'as 7 days before'
plays_skill_vs_mean double - Backtest of the expected plays: the same against 'the mean so far'
hidden_from_date        date    -        First local date that the backtest hides; all later ones are hidden too
list_size               bigint  tracks   Recordings in the list that is judged, at most 25
hit_count               bigint  tracks   How many of them were played on the hidden dates
hit_rate                double  0..1     Share of them that was played on the hidden dates
random_hit_rate         double  0..1     The same share expected of recordings drawn at random
most_played_hit_rate    double  0..1     The same share of the 25 recordings played most before
# Advice and patterns: about the music, no diagnosis
hidden_days             int     days     Newest local dates hidden as the list was made: 0 today, 30 in the backtest
choice                  int     -        Rank of the recording's score within its list, 1 is highest
artist_play_count       bigint  plays    Counted plays of the artist
genre_share             double  0..1     Share of the listening that goes to a new recording's genre; null if played
distance                double  SD       How far the recording sounds from played music of its kind; null if none
genre_plays             bigint  plays    How many of these are of the recording's genre
usual_valence           double  0..1     Mean valence of the listener's measured plays
is_hit                  boolean -        Whether the recording was played on the hidden dates; null if none are hidden
score                   double  -        How well the recording fits the recommendation, higher is better
is_new_to_you           boolean -        Whether the history holds no counted play of the recording
recommendation_reason   string  -        Why the recording is recommended
target_scenario         string  -        Situation the recommendation is meant for
recommended_activity    string  -        Activity that the music of this hour goes with
wellbeing_tip           string  -        Tip on the music of this hour
wellbeing_recommendation string -        Tip on the music of this segment
playlist_name           string  -        Name of the suggested playlist or list
playlist_purpose        string  -        What the playlist is for
position                int     -        Place in the list as it is played, from 1
intervention_needed     string  -        'High Priority', 'Medium Priority' or 'Low Priority'
suggested_intervention  string  -        What to change in the music of this hour
mood_support_playlist   string  -        Name of a suggested playlist for this hour
cluster                 int     -        Number of the cluster, from 0
mood_state_name         string  -        Name of the cluster by how its music sounds
cluster_description     string  -        How the music of the cluster sounds
member_count            bigint  plays    Measured plays in the cluster
silhouette              double  -1..1    How well the cluster is set apart: 1 clearly, near 0 not
anomaly_count           bigint  plays    Unusual plays: robust z above 3.5 among the listener's plays at that hour
avg_valence_deviation   double  -1..1    Mean distance of the unusual plays from the hour's median valence
avg_energy_deviation    double  -1..1    Mean distance of the unusual plays from the hour's median energy
anomaly_severity        string  -        'High', 'Medium' or 'Low'
interpretation          string  -        What the unusual plays have in common, in words
example_track           string  -        One of the unusual plays: artist and title
pattern_type            string  -        Kind of transition between the two moods
occurrence_count        bigint  pairs    How often this pair of moods followed one another
transition_probability  double  0..1     Share of the plays in the first mood that this mood followed
lift                    double  ratio    Share over the one expected if independent or random; above 1 more often
behavioral_insight      string  -        What the transition says about the listening, in words
listening_archetype     string  -        Name of the way of listening in this segment
archetype_description   string  -        That way of listening, in words
# Operations
run_id                  string  -        Identifies the run that wrote the row
finished_at             timestamp UTC    When the run ended
status                  string  -        How the run, or the table within it, ended
trigger                 string  -        What started the run
error                   string  -        What went wrong, null when nothing did
code_version            string  -        Version of the code that ran
new_plays               bigint  plays    Plays that the run added to bronze
tables_built            int     tables   Tables that the run built
tables_skipped          int     tables   Tables that were up to date
table_name              string  -        Table the row is about
row_count               bigint  rows     Rows of the table after the build
delta_version           bigint  -        Delta version of the table after the build
input_versions          string  -        Lineage: Delta versions of the inputs, as 'table@version, ...'
reason                  string  -        Why the table was built, skipped or failed, or the record could not be read
source_file             string  -        File that the row was read from
row_number              bigint  -        Position of the record in its source file, from 0
ingested_at             timestamp UTC    When the row was written to bronze
fetched_at              timestamp UTC    When the provider delivered the features
generated_at            timestamp UTC    When the synthetic features were generated
verdict                 string  -        counted, too_short, podcast, audiobook, duplicate, no_track or malformed
first_played_at         timestamp UTC    Earliest played_at among the records, null when none has one
last_played_at          timestamp UTC    Latest played_at among the records, null when none has one
raw                     string  -        The record as found, personal values masked; text that is no JSON is cut off
rejected_at             timestamp UTC    When the record was rejected
check_name              string  -        Name of the check
severity                string  -        Grade of the check: 'fail' refuses the table, 'warn' only reports
passed                  boolean -        Whether the check passed
failing_rows            bigint  rows     Rows that broke the check
detail                  string  -        What the check found
checked_at              timestamp UTC    When the check ran
"""
_ROWS = [line.split(maxsplit=3) for line in _TEXT.splitlines() if line and line[0] != "#"]
COLUMNS = {n: Column(n, kind, "" if unit == "-" else unit, meaning) for n, kind, unit, meaning in _ROWS}
AUDIO_FEATURES = tuple(COLUMNS)[:12]
UNIT_FEATURES = tuple(name for name in AUDIO_FEATURES if COLUMNS[name].unit == "0..1")
