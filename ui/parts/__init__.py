"""Pieces of a page that tabs share."""
