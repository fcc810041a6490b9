"""The promises of the ports beside payments, as tests that anybody runs against an adapter of their own."""
