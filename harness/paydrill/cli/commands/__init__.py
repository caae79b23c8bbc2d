"""One file a command; each holds it as `command`. Heavy imports stand inside the functions."""
