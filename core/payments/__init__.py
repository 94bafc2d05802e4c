"""Payment, step (4) of the flow: charging a buyer exactly once, or not at all.

    gateway.py        what a provider must promise: window, return, confirm, look up, cancel, void; outcomes
    registry.py       every provider there is, one line each; provider_package.py what such a line knows
    toss/ and so on   one package a provider: its adapter, its settings, what its codes and objects prove
    amounts.py        our minor units and theirs
    transport_http.py one HTTP call, and what is proven when it fails; sdk_errors_http.py the same of the SDKs' calls
    composition.py    what the settings choose, put together
    breaker.py        the circuit breaker: a pure state machine, time passed in
    breaker_redis.py  the same, shared by all processes of an installation
    account.py        where an attempt's money is, and which gateway asks there
    payments.py       the choice of provider; the one entry for `core.booking`
    confirming.py     the call that moves money, under the circuit
    metrics.py        what Prometheus sees of all this
    environments_postgres.py  whether this installation may go on with the accounts that the books speak of
    faults.py         what is the shop's to mend (pure); faults_postgres.py the latest attempts for it
    links.py          the signed addresses of a payment

`docs/payments.md` explains the rules and cites the providers' documentation.
"""
