"""The frame: what every tab gets and no tab changes."""
