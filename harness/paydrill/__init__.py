"""paydrill: fault drills for payment systems, judged from independent evidence."""

__version__ = "0.1.0"
