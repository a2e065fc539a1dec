"""Training of many convolutional GANs on images as one program."""
