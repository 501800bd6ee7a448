"""What plugins use of the executor."""
