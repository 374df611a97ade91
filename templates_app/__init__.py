"""What can be built: templates, versions, parameters, presets and schedules."""
