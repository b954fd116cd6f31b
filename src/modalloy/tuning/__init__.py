"""Searches among the options of a job: many trainings, judged by validation rows alone."""
