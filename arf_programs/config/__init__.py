"""Configuration: what arf.yaml may say (`schema`) and how it is read (`load`)."""
