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
        "resources": {"limits": limits, "requests": {**limits, "cpu": str(properties["threads"])}},
        "volumeMounts": [{"name": "shared", "mountPath": resources["k8s_mount"]}],
    }
    pod = {
        "restartPolicy": "Never",
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
            "activeDeadlineSeconds": 60 * int(resources["runtime"]),
            "ttlSecondsAfterFinished": 86400,
            "template": {"spec": pod},
        },
    }


def main() -> None:
    script = Path(sys.argv[1]).resolve()
    (properties,) = re.findall(r"^# properties = (.*)$", script.read_text(), re.MULTILINE)
    job = manifest(script, json.loads(properties))
    answer = subprocess.run(
        ["kubectl", "create", "--filename", "-"], input=json.dumps(job), text=True, stdout=subprocess.PIPE
    )
    if answer.returncode:
        sys.exit(f"kubectl refused the job of {script} (exit status {answer.returncode}); its words stand above.")
    print(job["metadata"]["name"])


if __name__ == "__main__":
    main()
