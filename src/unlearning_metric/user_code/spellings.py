"""What a method's parameters are called in public code, and what they mean here.

Counted in 473 functions of eleven public repositories that take a model and data: functions / repositories with the
spelling. Those that mean different things in different places (``opt``, ``loader``, ``dataset``, ``mask``) are
left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: What an entry's ``arguments`` may name besides `contract.ARGUMENTS`, and what a parameter of a usual name gets.
SOURCES: dict[str, str] = {
    "untrained_model": "a model with fresh weights of this copy's own",
    "train_loader": "batches of retain and forget set together, shuffled anew in each pass",
    "retain_dataset": "the data set of retain_loader",
    "forget_dataset": "the data set of forget_loader",
    "val_dataset": "the data set of val_loader",
    "train_dataset": "the data set of train_loader",
    "loaders": "a dictionary of loaders: train, retain, forget, val, test",
    "criterion": "nn.CrossEntropyLoss()",
    "optimizer": "the optimizer of the training recipe, on model's parameters",
    "parameters": "model's parameters, as a list",
    "parameter_names": "names of model's parameters, as a list",
    "args": "a namespace: the training recipe, seed, device, num_classes, and the entry's further hyper-parameters",
}
#: Spelling -> what it means, a key of `contract.ARGUMENTS` or of `SOURCES`.
SPELLINGS: dict[str, str] = {
    # 114/6 net is an argument of its own; student 2/1, student_model 3/1, model_s 2/2
    **dict.fromkeys(("m", "student", "student_model", "model_s", "network", "net_input", "unlearn_model",
                     "unlearned_model", "unlearning_model", "model_to_unlearn"), "model"),
    # full_trained_teacher 6/3, teacher 2/1, model_t 2/2, original_model 2/2
    **dict.fromkeys(("teacher", "teacher_model", "full_trained_teacher", "fully_trained_teacher", "competent_teacher",
                     "good_teacher", "model_t", "original_net", "trained_model", "full_model", "pretrained_model",
                     "ori_model", "orig_model", "orig", "ori_net", "base_model", "old_model", "model_init"),
                    "original_model"),
    # unlearning_teacher 33/3
    **dict.fromkeys(("unlearning_teacher", "bad_teacher", "incompetent_teacher", "random_model", "untrained_net"),
                    "untrained_model"),
    # retain_train_dl 27/1, retain_dataloader 2/1, retain_loader_train 2/2
    **dict.fromkeys(("retain_dl", "retain_dataloader", "retain_train_dl", "retain_train_loader", "retain_loader_train",
                     "retain_data_loader", "r_loader", "retainloader", "remain_loader", "remain_dl",
                     "remain_train_loader", "remaining_loader", "retain"), "retain_loader"),
    # forget_train_dl 27/1, f_loader 4/1, delete_loader 4/2, forget_dl 2/2
    **dict.fromkeys(("forget_dl", "forget_dataloader", "forget_train_dl", "forget_valid_dl", "forget_train_loader",
                     "forget_loader_train", "forget_data_loader", "f_loader", "delete_loader", "forgetloader",
                     "unlearn_loader", "unlearning_loader", "erase_loader", "forget"), "forget_loader"),
    # test_loader 35/8, retain_valid_dl 27/1, valid_dl 27/1, validation_loader, nonmem_loader
    **dict.fromkeys(("validation_loader", "valid_loader", "valid_dl", "val_dl", "validation_dl", "retain_valid_dl",
                     "test_loader", "test_dl", "testloader", "test_dataloader", "val_dataloader", "eval_loader",
                     "nonmem_loader", "valloader", "validation_dataloader", "validation", "val", "test"),
                    "val_loader"),
    # train_loader 41/9, train_dl 9/4, full_train_dl 3/1
    **dict.fromkeys(("train_dl", "trainloader", "train_dataloader", "full_train_dl", "full_loader",
                     "full_train_loader", "train_data_loader"), "train_loader"),
    # retain_data 3/3, retain_dataset 4/2, forget_data 3/3, forget_dataset 4/2
    **dict.fromkeys(("retain_data", "retain_set", "retain_ds", "retain_train_data"), "retain_dataset"),
    **dict.fromkeys(("forget_data", "forget_set", "forget_ds", "forget_train_data"), "forget_dataset"),
    **dict.fromkeys(("test_dataset", "valid_dataset", "validation_dataset", "val_data", "test_data", "valid_data"),
                    "val_dataset"),
    **dict.fromkeys(("train_data", "train_set", "trainset", "full_dataset"), "train_dataset"),
    # data_loaders 39/3
    **dict.fromkeys(("data_loaders", "dataloaders", "train_loaders", "loaders_dict"), "loaders"),
    # criterion 102/6, loss_fn 19/4, loss_func 4/2, cross_entropy of the configuration
    **dict.fromkeys(("loss_fn", "loss_func", "loss_function", "cross_entropy"), "criterion"),
    # device 96/8, num_classes 11/2
    **dict.fromkeys(("n_classes", "nb_classes", "num_class", "class_num", "number_of_classes"), "num_classes"),
    **dict.fromkeys(("param_names", "params_names", "names_of_parameters"), "parameter_names"),
    # args 84/4
    **dict.fromkeys(("cfg", "config", "hparams", "hyperparameters"), "args"),
    **{name: name for name in SOURCES},
}  # fmt: skip
#: Arguments that a default of the user's keeps; the other ones of `contract.ARGUMENTS` are filled all the same.
LEFT_ALONE = frozenset({"class_weights", "generator", "num_classes", "train_config"})


#: Words of a loader's or data set's name -> what they say.
_HOLDER = {"loader": "loader", "dl": "loader", "dataset": "dataset", "set": "dataset", "ds": "dataset"}
_PART = {
    **dict.fromkeys(("retain", "retained", "remain", "remaining"), "retain"),
    **dict.fromkeys(("forget", "forgetting", "unlearn", "unlearning", "delete", "erase"), "forget"),
    **dict.fromkeys(("val", "valid", "validation", "test", "eval"), "val"),
    **dict.fromkeys(("train", "training", "full"), "train"),
}


def meaning(name: str, arguments: Mapping[str, str]) -> str | None:
    """What a name means: itself, or what it is a spelling of, in whatever case; None for no argument.

    Names of loaders and data sets are also read by their words: ``remain_dataloader``, ``train_forget_loader``.
    """
    spelled = name if name in arguments or name in SPELLINGS or len(name) == 1 else name.lower()
    return spelled if spelled in arguments else SPELLINGS.get(spelled) or _of_words(spelled)


def _of_words(name: str) -> str | None:
    """A loader or data set that a name describes, where every word of it is known."""
    words = re.findall("[a-z]+", re.sub("data_?loader", "_loader", name).replace("loader", "_loader"))
    holders = {_HOLDER[word] for word in words if word in _HOLDER}
    parts = {_PART[word] for word in words if word in _PART}
    if len(holders) != 1 or not parts or not all(word in _HOLDER or word in _PART for word in words):
        return None
    # There are no held-out examples of the forget set; held-out ones beside it are those of what is retained.
    part = next(one for one in ("forget", "val", "retain", "train") if one in parts)
    found = f"{part}_{holders.pop()}"
    return None if {"forget", "retain"} <= parts else found
