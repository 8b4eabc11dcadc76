"""The verifier: breaks every part in turn under load, and accounts for every report."""
