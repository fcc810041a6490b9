"""The demo: orders, allowances, addresses, exemptions and scripted cases as data, played in virtual time."""
