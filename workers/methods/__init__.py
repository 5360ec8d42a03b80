"""One file per method. A new file here is found, listed, validated and tested without any other change."""
