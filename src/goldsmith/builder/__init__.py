"""Build an image: plan, layers, install, components, customize, seal."""
