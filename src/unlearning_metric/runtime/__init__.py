"""The process of a job: devices, threads, guards, limits, imports."""
