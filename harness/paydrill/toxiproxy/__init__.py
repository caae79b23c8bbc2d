"""The one place that knows Toxiproxy: its server's command line, and a client that reads back."""
