"""The Python client: ``open_client``, a role for each kind of person, and one error for each code."""
