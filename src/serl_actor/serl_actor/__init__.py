"""The actor loop and node, frames, environments, demonstrations and their logs."""
