"""Columns of statistics."""

TEXT = """
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
affinity                double  0..1     Share of the listening of both that is the same, by artist and by recording
shared_artists          bigint  artists  Artists that both have played
shared_tracks           bigint  tracks   Recordings that both have played
closest_artist          string  -        Artist who is most of the listening of both; null if they share none
widest_gap_artist       string  -        Artist whose shares of the listening of both differ most
audio_similarity        double  0..1     Share of the audio profiles of both that is the same; null below 20 plays each
insight                 string  -        The comparison in a sentence
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
"""
