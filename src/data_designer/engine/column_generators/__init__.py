"""Where plugins import the bases of column generators from."""
