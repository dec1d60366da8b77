"""Models on the disk of this machine: their weights, where they are held, and their chat templates."""
