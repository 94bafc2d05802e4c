"""PortOne v2 (https://developers.portone.io), Korea's usual aggregator, with manual approval: `adapter_http.py` the
calls through its SDK, `payment.py` and `codes.py` what a payment of theirs and its errors prove, `played.py` what its
simulator must know."""
