"""The pipeline: sealed records from web archives to a proven index."""
