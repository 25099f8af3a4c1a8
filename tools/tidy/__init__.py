"""What `./dev tidy` checks. Each module has one check; a check yields findings."""
