"""Small GANs on mixtures in the plane, and on 8×8 digits."""
