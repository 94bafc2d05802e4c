"""Payment, step (4) of the flow: charging a buyer exactly once, or not at all.

    gateway.py        what a provider must promise: charge, look up, cancel; outcomes
    toss_http.py      Toss Payments over HTTP; toss_codes.py what its error codes mean
    kcp_http.py       NHN KCP over HTTP; kcp_codes.py, kcp_signature.py
    transport_http.py one HTTP call, and what is proven when it fails
    breaker.py        the circuit breaker: a pure state machine, time passed in
    breaker_redis.py  the same, shared by all processes of an installation
    payments.py       the choice of provider; the one entry for `core.booking`
    metrics.py        what Prometheus sees of all this

`docs/payments.md` explains the rules and cites the providers' documentation.
"""
