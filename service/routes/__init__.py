"""The routes: read the request, ask the parts, answer."""
