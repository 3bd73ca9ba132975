"""Running statements on a server and watching what they do."""
