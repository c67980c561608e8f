"""Nothing is drawn while numbers are compared."""
