"""AKDE-BO: penalties from the density of gradients, whose strength is set while training runs.

The source is "Enhanced Loss Landscape Sculpting via Adaptive Kernel Density Estimation and Bayesian
Optimization for Deep Generative Models".
"""
