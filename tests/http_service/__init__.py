"""The HTTP service: callbacks, orders and events of parcels."""
