"""GANs on real images, recorded as a user would: what verdicts abroad are held against."""
