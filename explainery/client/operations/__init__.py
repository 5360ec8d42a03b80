"""What the service can be asked, a file for each part of it: generators of steps, written once for both clients."""
