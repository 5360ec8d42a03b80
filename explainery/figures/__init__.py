"""Pictures of explanations: a row of a result -> a figure -> SVG, PNG, HTML or JSON. Imports nothing of weight by itself."""
