"""Whole stories, from one person's frames to another's."""
