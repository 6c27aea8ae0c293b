"""Who asks and who hears: the command line, settings, and what people read."""
