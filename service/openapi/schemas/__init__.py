"""The schemas that the document names, by what they speak of."""
