"""From requests to accepted pictures: drawn in batches, looked at, drawn again, enlarged."""
