"""Columns of the ops tables and of what imports record."""

TEXT = """
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
raw                     string  -        The record, personal values masked; of a file without a known one its kind
rejected_at             timestamp UTC    When the record was rejected
check_name              string  -        Name of the check
severity                string  -        Grade of the check: 'fail' refuses the table, 'warn' only reports
passed                  boolean -        Whether the check passed
failing_rows            bigint  rows     Rows that broke the check
detail                  string  -        What the check found
checked_at              timestamp UTC    When the check ran
"""
