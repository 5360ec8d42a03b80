"""Quality checks, one file each: generators that ask the model, or for the method to be run again, and return figures."""
