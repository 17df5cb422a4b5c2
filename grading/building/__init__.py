"""What is made from the sources: notebooks, answer keys."""
