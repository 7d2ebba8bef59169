"""Whether plain facts are told falsely."""
