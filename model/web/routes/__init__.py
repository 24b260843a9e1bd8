"""The routes, a module for each part of the page. Each says what it takes and gives, and calls a room for
it."""
