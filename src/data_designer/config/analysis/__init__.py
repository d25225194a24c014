"""What is known of a finished dataset."""
