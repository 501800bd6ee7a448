"""What made a file: the record that is saved with it, and what differs when it is opened again."""
