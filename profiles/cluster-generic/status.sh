#!/bin/sh
# What became of a SLURM job, in one of the words that Snakemake knows: running, success, failed.
# Asks the controller, which remembers a job for MinJobAge (300 s) after its end; needs no accounting.
answer=$(scontrol --oneliner show job "$1" 2>&1)
case "$answer" in
    *JobState=COMPLETED*) echo success ;;
    *JobState=PENDING* | *JobState=RUNNING* | *JobState=COMPLETING* | *JobState=CONFIGURING* | *JobState=SUSPENDED* | \
        *JobState=REQUEUE* | *JobState=RESIZING* | *JobState=SIGNALING* | *JobState=STAGE_OUT* | *JobState=STOPPED*)
        echo running ;;
    # Cancelled, failed, out of memory or time, its node gone; or forgotten, so nobody knows: it is made again.
    *JobState=* | *"Invalid job id"*) echo failed ;;
    # The controller does not answer: it will again. Said, since what never mends would be waited for.
    *) echo "state of job $1 unknown, asked again: ${answer:-no answer}" >&2; echo running ;;
esac
