"""Wrong labels, for the methods that train the forget set on them."""

import torch


def wrong_labels(labels, num_classes):
    """For each label, one of the other classes, all equally likely: int64 [examples]."""
    shift = torch.randint(1, num_classes, labels.shape, device=labels.device)
    return (labels + shift) % num_classes


class Relabelled(torch.utils.data.Dataset):
    """The images of a dataset with labels of its own: int64 [examples]."""

    def __init__(self, dataset, labels):
        self.dataset, self.labels = dataset, labels

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index][0], self.labels[index]
