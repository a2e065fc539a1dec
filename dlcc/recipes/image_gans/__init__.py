"""GANs on images: those of the study of loss-gradient clouds, and a deep convolutional one."""
