"""The serl command: trains, evaluates, records, measures and checks."""
