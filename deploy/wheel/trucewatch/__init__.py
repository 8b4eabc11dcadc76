"""Trucewatch as it is installed: ``schemas``, ``services`` and ``deploy`` of the repository below this one name."""
