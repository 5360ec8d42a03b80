"""Looking inside a torch module while it is called: layers, attention, and backward passes under changed rules."""
