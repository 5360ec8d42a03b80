"""The API: what clients speak to. It knows `explainery`, never the workers or a compute library."""
