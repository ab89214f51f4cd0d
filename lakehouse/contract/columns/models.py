"""Columns of models, their scores and their figures."""

TEXT = """
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
"""
