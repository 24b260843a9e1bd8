"""From a story file to a plan, and from accepted pictures to a book on disk and its record."""
