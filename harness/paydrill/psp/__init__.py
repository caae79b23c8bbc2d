"""The PSP simulator: Stripe's wire format over a ledger of its own, which is the drill's truth.

Run it with `python -m paydrill.psp`. From elsewhere in the harness import `paydrill.psp.control`
(drive it) and `paydrill.psp.journal_reader` (read what happened); neither loads the server.
"""
