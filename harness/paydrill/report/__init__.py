"""Reports: each format is a function `(RunReport) -> str` in a file of its own.

`model.build_report` gathers what they tell. Names, details and logs in a run folder are untrusted
text: every report cleans and escapes them.
"""
