"""One module a job of the workflow: files in, files out. They know nothing of Snakemake."""
