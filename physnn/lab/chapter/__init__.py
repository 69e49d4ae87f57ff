"""What every notebook is made of: its contract, and the names of its values."""
