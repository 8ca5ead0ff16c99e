"""Reporters of the paper's study: its tables, figures and words. Nothing imports this folder; reporters are found by name."""
