"""GANs on images: of the study of loss-gradient clouds, and the deep convolutional one."""
