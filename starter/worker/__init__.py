"""What a worker process is made of, beside its activities: roles and their queues, health, and its end."""
