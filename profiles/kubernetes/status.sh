#!/bin/sh
# What became of a Kubernetes Job, in one of the words that Snakemake knows: running, success, failed.
answer=$(kubectl get job "$1" --output 'jsonpath=succeeded={.status.succeeded} failed={.status.failed}' 2>&1)
case "$answer" in
    *succeeded=1*) echo success ;;
    # Its pod failed or passed its time; or the job is gone, so nobody knows: it is made again.
    *failed=[1-9]* | *NotFound*) echo failed ;;
    # Not begun, or under way.
    succeeded=*) echo running ;;
    # The API server does not answer: it will again. Said, since what never mends would be waited for.
    *) echo "state of job $1 unknown, asked again: ${answer:-no answer}" >&2; echo running ;;
esac
