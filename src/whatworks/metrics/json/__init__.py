"""The metric ``json``: values, schema, and the schema that targets show."""
