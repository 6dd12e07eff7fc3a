"""The typed records that pass between the stages and land on disk."""
