#!/usr/bin/env python3
"""A job of Snakemake -> a Kubernetes Job, whose name is printed. Usage: submit.py JOBSCRIPT

Snakemake writes the job's rule, threads and resources into a line of the script.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path


def manifest(script: Path, properties: dict) -> dict:
    """The Job: the script, in this folder of the shared volume, as this user, within the resources."""
    resources = properties["resources"]
    limits = {"memory": f"{resources['mem_mb']}M"}
    if resources["gpu"]:
        limits["nvidia.com/gpu"] = str(resources["gpu"])
    # A name holds no underscores and at most 63 characters.
    rule = re.sub("[^a-z0-9]", "-", properties.get("rule", "group").lower())[:40]
    container = {
        "name": "job",
        "image": resources["k8s_image"],
        "command": ["/bin/sh", str(script)],
        "workingDir": str(Path.cwd()),
        # Snakemake keeps a cache at home, and a user whom the image does not know has none.
        "env": [{"name": "HOME", "value": "/tmp"}],
        "resources": {"limits": limits, "requests": {**limits, "cpu": str(properties["threads"])}},
        "volumeMounts": [{"name": "shared", "mountPath": resources["k8s_mount"]}],
    }
    pod = {
        "restartPolicy": "Never",
        # Of the pod: its clock starts on a node, that of the Job would count the time that it waits for one.
        "activeDeadlineSeconds": 60 * minutes(properties),
        "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
        "containers": [container],
        "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": resources["k8s_claim"]}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{rule}-{uuid.uuid4().hex[:12]}"},
        "spec": {
            # Whether a failed job runs again is for Snakemake to say.
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": 86400,
            "template": {"spec": pod},
        },
    }


def minutes(properties: dict) -> int:
    """Time limit of the job."""
    try:
        return int(properties["resources"]["runtime"])
    except (KeyError, TypeError, ValueError):
        rule, runtime = properties.get("rule", "group"), properties["resources"].get("runtime")
        sys.exit(f"runtime of rule {rule} is {runtime!r}. Write minutes, as a number, in the profile.")


def main() -> None:
    script = Path(sys.argv[1]).resolve()
    (properties,) = re.findall(r"^# properties = (.*)$", script.read_text(), re.MULTILINE)
    job = manifest(script, json.loads(properties))
    try:
        answer = subprocess.run(
            ["kubectl", "create", "--filename", "-"], input=json.dumps(job), text=True, stdout=subprocess.PIPE
        )
    except FileNotFoundError:
        sys.exit("There is no kubectl in PATH: install it where Snakemake runs, or load its module.")
    if answer.returncode:
        sys.exit(f"kubectl refused the job of {script} (exit status {answer.returncode}); its words stand above.")
    print(job["metadata"]["name"])


if __name__ == "__main__":
    main()
