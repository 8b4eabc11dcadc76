"""The parts of the service, put together room by room."""
