"""What plugins import and are given: our implementations under the names that they use."""
