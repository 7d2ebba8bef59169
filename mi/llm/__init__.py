"""What can be asked of a chat model, whichever backend answers."""
