"""What a drill left behind, as typed tables: the only thing that invariants see.

`fold` makes `evidence/*.parquet` from a run folder, `reader.open_evidence` opens them locked down,
`recorder.write_reading` keeps what a collector read, `story.events_of` tells one intent's events.
Importing this package loads neither DuckDB nor pyarrow.
"""
