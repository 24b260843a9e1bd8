"""Who is in the book: rehearsed or given, kept as references, seen again in accepted panels."""
