"""What users write themselves, proposed and tried: mappings of their own exports, and id maps."""
