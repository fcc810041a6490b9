"""The demo: orders, allowances and scripted cases as data, played on real servers in virtual time."""
