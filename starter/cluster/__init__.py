"""A cluster on one machine: worker processes of several roles and versions, rolled under load."""
