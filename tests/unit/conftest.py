"""One thread for torch: small models gain nothing from more, and results must not depend on the host."""

import torch

torch.set_num_threads(1)
