"""The reference payment stack: orders, payments, worker and fulfilment, one process each."""
