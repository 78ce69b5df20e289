"""Ready spaces, one YAML file each."""
