"""`mi serve`: OpenAI's protocol for files, fine-tuning and chat, over the local driver."""
