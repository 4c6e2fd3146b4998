"""Channel mixers: what works on each token alone. Each is one file, found by `registry`."""
