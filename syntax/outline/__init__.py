"""What a file defines and what it imports, as plain data, in every language that repository context knows."""
