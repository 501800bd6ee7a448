"""The metadata of other programs' pictures, read and made into a prompt that does the same."""
