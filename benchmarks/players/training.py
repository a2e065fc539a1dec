"""Training of one player on inputs of its own, by which its calls are recorded."""

import torch


class OnePlayer:
    """Training whose step calls its player once and pulls its outputs towards zero."""

    def __init__(self, player, draw):
        self.players = {"model": player}
        self.draw = draw
        weights = list(player.parameters())
        self.optimizer = torch.optim.SGD(weights, lr=1e-6) if weights else None

    def step(self, step):
        args, kwargs = self.draw(torch.Generator().manual_seed(step))
        found = self.players["model"](*args, **kwargs)
        loss = sum(x.float().square().mean() for x in tensors_in(found))
        if self.optimizer is not None and loss.requires_grad:
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return {"model/loss": float(loss.detach())}

    def state_dict(self):
        return {"model": self.players["model"].state_dict()}

    def load_state_dict(self, state):
        self.players["model"].load_state_dict(state["model"])


def tensors_in(found):
    """Tensors of floating point in nested outputs."""
    if isinstance(found, torch.Tensor):
        return [found] if found.is_floating_point() else []
    if isinstance(found, dict):
        found = list(found.values())
    return [x for one in found for x in tensors_in(one)] if isinstance(found, (list, tuple)) else []
