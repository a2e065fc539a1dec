"""What source code provably reads."""

from __future__ import annotations

import pytest

from dlcc.advice.source_keys import SourceKeys


@pytest.mark.parametrize(
    ("code", "path", "reads"),
    [
        ("x = config['lr']", "lr", True),
        ("x = config.get('lr', 1e-3)", "lr", True),
        ("x = config.pop('lr')", "lr", True),
        ("x = args.lr", "lr", True),
        ("x = getattr(args, 'lr')", "lr", True),
        ("x = config[f'lr_{name}']", "lr_d", True),
        ("x = config[f'{name}.lr']", "d_lr", False),
        ("def build(lr, seed): return lr", "lr", True),
        ("def build(lr, seed): return seed", "lr", False),
        ("x = c['optim']['d']['lr']", "optim.d.lr", True),
        ("x = c['optim']['lr']", "optim.d.lr", False),
        ("b = config['betas']", "betas.0", True),
        ("config['lr'] = 1", "lr", False),
        ("if 'lr' in config: pass", "lr", False),
        ("# lr\nprint('lr')", "lr", False),
        ("loss.step()", "step", False),
        ("match c:\n  case {'lr': x}: pass", "lr", True),
        ("not python at all (", "lr", False),
    ],
)
def test_reading(code: str, path: str, reads: bool) -> None:
    assert SourceKeys.of([code]).reads(path) is reads
