"""PortOne v2 (https://developers.portone.io), Korea's usual aggregator, with manual approval: `adapter_http.py` the
calls through its SDK, `payment.py` what a payment of theirs proves, `played.py` what its simulator must know."""
