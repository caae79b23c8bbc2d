"""The load: Locust in a child process, open loop, with a history that survives any crash.

`child.py` is the harness's side. Everything else runs inside the child; only `locustfile.py` and
`session_wire.py` import Locust, and nothing outside this folder does.
"""
