"""How fast an endpoint is asked: calls in flight, rates a minute, pauses, retries."""
