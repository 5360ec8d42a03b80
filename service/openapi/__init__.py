"""The OpenAPI 3.1 document, one file for each thing that it says of an operation; `document.py` puts them together."""
