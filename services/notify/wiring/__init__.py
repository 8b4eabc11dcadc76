"""What the service is made of, put together room by room."""
