"""One template: its versions and presets, what can be done to it, and the forms that make one."""
