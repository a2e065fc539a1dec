"""Tracing of what a training step really minimises, by the operations that it does."""
