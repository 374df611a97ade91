"""What all pages share: the layout, who may come in, and the words for times and states."""
