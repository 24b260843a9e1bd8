"""What the studio's page is made with: vendored libraries, types from the server, pictures of every page."""
