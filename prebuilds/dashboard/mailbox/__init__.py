"""For your own machine: the mails that went out or would go out, as their readers see them."""
