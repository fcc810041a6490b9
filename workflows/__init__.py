"""The durable processes of after-sales: one workflow per case, and the rules they follow."""
