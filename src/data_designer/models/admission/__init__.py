"""When a request may be sent: slots, the endpoint's own limits, rates, the budget."""
