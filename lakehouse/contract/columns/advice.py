"""Columns of advice and patterns."""

TEXT = """
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
"""
