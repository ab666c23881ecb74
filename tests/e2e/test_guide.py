"""docs/writing-a-method.md: every command is run, in order, and says what the guide says it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from unlearning_metric import config
from unlearning_metric.user_code.contract import ARGUMENTS

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "writing-a-method.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SUBMISSION = """import torch


def unlearning(net, retain_loader, forget_loader, val_loader):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for batch in retain_loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(batch["image"]), batch["age_group"]).backward()
        optimizer.step()
    return net
"""


def masked(text: str) -> str:
    """Text with its numbers hidden: they belong to the machine and to the small experiment."""
    return re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "N", text)


def run(workflow, command: str) -> tuple[int, str]:
    environment = workflow.environment
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    answer = subprocess.run(
        ["bash", "-e", "-c", command], cwd=workflow.folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
    )  # fmt: skip
    return answer.returncode, answer.stdout


@pytest.mark.slow
def test_the_guide_works_from_its_first_command_to_its_last(workflow):
    workflow.only("identity").configure(methods={}, shard_size=8)
    workflow.write("../elsewhere/submission.py", SUBMISSION)
    workflow.write(".venv/bin/activate", f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    output, commands = "", 0
    for kind, text in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if kind == "python":
            workflow.write("methods/mine.py", text)
        elif kind == "yaml":
            file = workflow.path("config/config.yaml")
            file.write_text(yaml.safe_dump(config.merge(config.read_yaml(file), yaml.safe_load(text))))
        elif kind == "bash":
            code, output = run(workflow, text)
            commands += 1
            assert (code != 0) == ("failed its check" in output), output
        else:
            assert kind == "text"
            for line in text.splitlines():
                assert masked(line) in masked(output), output
    assert commands >= 7


def test_the_guide_lists_every_argument():
    table = GUIDE.read_text(encoding="utf-8").split("| --- | --- |\n")[1].split("\n\n")[0]
    listed = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert listed == list(ARGUMENTS)


def test_every_command_of_the_guide_stands_in_a_block_that_is_run():
    text = GUIDE.read_text(encoding="utf-8")
    assert {kind for kind, _ in BLOCK.findall(text)} == {"bash", "python", "text", "yaml"}
    assert text.count("```") == 2 * len(BLOCK.findall(text))
    outside = BLOCK.sub("", text)
    assert "snakemake" not in outside
