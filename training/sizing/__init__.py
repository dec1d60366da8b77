"""How much memory and time training takes, before it is started."""
