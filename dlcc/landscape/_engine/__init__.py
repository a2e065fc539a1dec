"""Machinery under per-sample gradients, curvature and slices: see docs/landscape-engine.md."""
