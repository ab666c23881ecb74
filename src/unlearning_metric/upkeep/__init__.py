"""Looks after a results folder: doctor, unfinished runs, sweeps."""
