"""Running component documents: the engine, one file a family of action modules, and the hosts they act on."""
