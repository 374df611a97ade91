"""What holds for the whole site: the pause, and the configuration this process started with."""
