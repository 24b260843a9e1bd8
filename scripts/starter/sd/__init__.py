"""A small Stable Diffusion of the drawn world: UNet, text encoder and IP-Adapter in the published classes and
layouts, so that whatever draws with those can be measured on weights that were trained."""
