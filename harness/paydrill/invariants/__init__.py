"""Rules over the evidence: one file each, `<id>-<name>.sql`; a new rule is a new file.

`catalogue.known()` lists them, `child.judge_invariants` judges a run by them. Importing this package
loads no DuckDB.
"""
