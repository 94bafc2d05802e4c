"""Toss Payments (https://docs.tosspayments.com): `adapter_http.py` the calls, `codes.py` what its error codes prove,
`payment.py` what a Payment object says."""
