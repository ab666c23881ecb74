"""What to do about an exception of a method's code, by its kind.

Published code is written for a network, for data sets and for packages that may not be those here, and some of it fails
wherever it runs. The exception is Python's own and names the line; this says what would help.
"""

from __future__ import annotations

import ast
import re
import sys
from types import ModuleType

from torch import nn

from unlearning_metric.batches.datasets import ImageDataset, Whole
from unlearning_metric.batches.loaders import ImageLoader
from unlearning_metric.keys.notebooks import source_bytes
from unlearning_metric.runtime.pretend_cuda import asks_for_cuda
from unlearning_metric.user_code.loading import Source
from unlearning_metric.user_code.own_modules import PREFIX
from unlearning_metric.user_code.signature import bindings

#: What Python says of a call that does not fit its function.
_UNFIT_CALL = re.compile(r"positional arguments? but|unexpected keyword argument|missing \d+ required|multiple values")
#: What says that tensors, or what a network or a loader gives, have another form.
_OTHER_FORM = re.compile(
    r"values to unpack|is invalid for input of size|size mismatch|shapes? cannot be multiplied|must match the size|"
    r"[Ss]izes of tensors must match|output size is too small|Given groups=|got target|spatial targets|"
    r"doesn't match the broadcast shape",
    re.IGNORECASE,
)
_NETWORK = "say under model in the configuration which network it is written for (file and function, or a name)"


def advice(error: BaseException, network: nn.Module, source: Source | None = None, pretends: bool = False) -> str:
    """What else to say of an exception of a method's: a sentence with a space before it.

    Parameters
    ----------
    network : what the method was to change
    source : where its function is; None for what is in no file
    pretends : whether its entry says ``cuda: pretend``
    """
    if asks_for_cuda(error) and pretends:
        return " It asks for CUDA in a way that cuda: pretend does not answer: mend that line."
    if asks_for_cuda(error):
        return " It asks for CUDA, which this computer has not: cuda: pretend in its entry makes that mean the CPU."
    if isinstance(error, ModuleNotFoundError) and error.name:
        return (
            f" If {error.name} is a package, install it into the workflow's environment ({sys.executable} -m pip "
            "install ...); if it is a file of the code's, it was not published with it. What only measures or logs may "
            "be left out: without in its entry."
        )
    if type(error) is NameError:
        return _of_name(error.name or "name", source)
    if isinstance(error, AttributeError):
        return _of_attribute(error, network)
    if isinstance(error, FileNotFoundError):
        return " It reads a file that is not here: put it there, or give an absolute path in the entry."
    said = str(error)
    if type(error) is TypeError and "'str' object is not callable" in said:
        return " If it asks for a class or a function, give it by {import: torch.optim.SGD}; a name alone is a text."
    if isinstance(error, TypeError) and _UNFIT_CALL.search(said):
        return f" That call does not fit what it calls. If it calls the network, {_NETWORK}; if not, mend the line."
    if _OTHER_FORM.search(said):
        return f" If it counts on another network, {_NETWORK}; if on other batches, say batches in its entry."
    if "shuffl" in said.lower():
        return (
            " Loaders here shuffle. One that does not, for its parameter of that name under arguments: "
            "{call: torch.utils.data.DataLoader, dataset: retain_dataset, batch_size: 64}."
        )
    return " Mend that line, or what its entry gives it."


def _of_name(name: str, source: Source | None) -> str:
    if source is not None and not _binds(source, name):
        return f" Its file says nowhere what {name} is: mend it, or say so in its entry, globals: {{{name}: ...}}."
    return (
        " If its file assigns that name by running something, load: definitions leaves it out: say in its entry "
        f"what it gets, globals: {{{name}: ...}}, or load: all."
    )


def _binds(source: Source, name: str) -> bool:
    """Whether a file says anywhere what a name of its module is, as far as it tells."""
    try:
        return name in bindings(ast.parse(source_bytes(source.file)))
    except (OSError, SyntaxError, ValueError):
        return True


def _of_attribute(error: AttributeError, network: nn.Module) -> str:
    holder, name = error.obj, error.name
    if isinstance(holder, nn.Module) and any(type(module) is type(holder) for module in network.modules()):
        return f" The network here has no {name}: {_NETWORK}."
    if isinstance(holder, ImageDataset | ImageLoader | Whole):
        return (
            f" Data sets and loaders here have what PyTorch's have; {name} is of a class of the code's own: "
            "make one of it under arguments, such as {call: their_module.TheirDataset, with: [forget_dataset]}."
        )
    if type(holder) is str:
        return " It got a text. If it asks for a model, a loader or a class, say which under arguments in its entry."
    if isinstance(holder, ModuleType):
        if holder.__name__.startswith(PREFIX):
            return " If its imports start from another folder, set root in its entry; if not, mend the import."
        return f" {holder.__name__} has it in another version, or under another name: mend that line."
    return " Mend that line, or what its entry gives it."
