"""Several captures given at once."""
